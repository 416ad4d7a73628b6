//! Containers that were created without the hooks that they should have: found, reported, and created again.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use containerd_nri::api::{Container, ContainerState, PodSandbox};
use containerd_nri_testkit::{ContainerBuilder, FakeRuntime, PluginHandle, PodBuilder, RuntimeProfile};
use nri_oci_hooks::daemon::WithoutHooks;
use nri_oci_hooks::ledger::Ledger;
use nri_oci_hooks::observe::{Status, request_status};

use crate::node::until;

/// A node whose containers have inits and whose OCI runtime runs nothing.
struct Node {
    // Dropped first: what it has started still writes below `root`.
    daemon: Option<PluginHandle>,
    fake: FakeRuntime,
    pods: Vec<PodSandbox>,
    containers: Vec<Container>,
    inits: Vec<Child>,
    configuration: String,
    root: tempfile::TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        for init in &mut self.inits {
            // Both fail only if it has been waited for.
            let _ = init.kill();
            let _ = init.wait();
        }
    }
}

/// Something that a Deployment's pod has, and a bare one does not.
const OF_DEPLOYMENT: &str = "pod-template-hash";

impl Node {
    fn new(configuration: &str) -> Node {
        let root = tempfile::tempdir().unwrap();
        fs::write(
            root.path().join("default.json"),
            r#"{"prestart":[{"path":"/bin/true"}]}"#,
        )
        .unwrap();
        fs::write(root.path().join("none.json"), "{}").unwrap();
        Node {
            daemon: None,
            fake: FakeRuntime::builder(RuntimeProfile::containerd_2_1()).without_socket(),
            pods: Vec::new(),
            containers: Vec::new(),
            inits: Vec::new(),
            configuration: configuration.to_owned(),
            root,
        }
    }

    fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Adds a container of a Deployment's pod, with an init that ignores SIGTERM like most; of this namespace.
    fn add(&mut self, pod: &str, namespace: &str, program: &str) -> Container {
        let mut of = PodBuilder::new(pod).namespace(namespace).build();
        of.labels.insert(OF_DEPLOYMENT.to_owned(), "1".to_owned());
        let init = Command::new("/bin/sh")
            .args(["-c", program])
            .stdin(Stdio::null())
            .spawn();
        let init = init.unwrap();
        let mut container = ContainerBuilder::new(&of, "app").build();
        container.state = ContainerState::CONTAINER_RUNNING.into();
        container.pid = init.id();
        self.inits.push(init);
        self.pods.push(of);
        self.containers.push(container.clone());
        container
    }

    /// Starts a daemon in place of the one that is alive, with this default hook-spec.
    async fn start_daemon(&mut self, spec: &str) {
        self.daemon = None;
        self.fake.set_state(self.pods.clone(), self.containers.clone());
        let config = format!(
            "hook_spec = {:?}\nstate_dir = {:?}\n{}",
            self.root.path().join(spec),
            self.state_dir(),
            self.configuration
        );
        let program = env!("CARGO_BIN_EXE_nri-oci-hooks");
        let daemon = self
            .fake
            .launch(program, &"10-hooks".parse().unwrap(), &config)
            .await;
        self.daemon = Some(daemon.unwrap());
        // It notes that beside the runtime's requests, and may be killed before.
        let noted = self.state_dir().join("decided-since");
        until("the note that the node has a daemon", || noted.exists()).await;
    }

    /// The findings of the daemon, once `is_it` holds for them.
    async fn until_found(&self, is_it: impl Fn(&[WithoutHooks]) -> bool) -> Vec<WithoutHooks> {
        let mut found = Vec::new();
        until("the containers without hooks", || {
            let status: Option<Status> = request_status(&self.state_dir()).ok();
            found = status.map(|status| status.without_hooks).unwrap_or_default();
            is_it(&found)
        })
        .await;
        found
    }

    fn has_ended(&mut self, index: usize) -> bool {
        self.inits[index].try_wait().unwrap().is_some()
    }
}

const LIVES: &str = "trap '' TERM; exec sleep 1000";

fn of(found: &[WithoutHooks], pod: &str) -> Option<WithoutHooks> {
    found.iter().find(|it| it.pod == pod).cloned()
}

#[tokio::test]
async fn what_was_created_without_the_daemon_is_found_until_it_is_removed() {
    let mut node = Node::new("exclude_namespaces = [\"kube-system\"]\n");
    node.add("before", "apps", LIVES);
    node.add("excluded", "kube-system", LIVES);
    node.start_daemon("default.json").await;
    let found = node.until_found(|found| !found.is_empty()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let before = of(&found, "before").unwrap();
    assert_eq!(before.why, "created before this daemon started");
    assert_eq!((&*before.namespace, &*before.container), ("apps", "app"));

    // The runtime restarts, and something is created before the plugin is connected again.
    let daemon = node.daemon.as_mut().unwrap();
    let (pod, container) = (node.pods[0].clone(), node.containers[0].clone());
    daemon
        .remove_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
    node.until_found(<[WithoutHooks]>::is_empty).await;
}

#[tokio::test]
async fn what_a_daemon_decided_is_no_miss_whatever_the_configuration_says_later() {
    let mut node = Node::new("");
    node.start_daemon("none.json").await;
    let decided = node.add("decided", "apps", LIVES);
    let pod = node.pods[0].clone();
    let daemon = node.daemon.as_mut().unwrap();
    let answer = daemon
        .create_container(&pod, &decided)
        .await
        .into_answer()
        .unwrap();
    assert!(answer.adjust.annotations.is_empty());
    let ledger = Ledger::open(&node.state_dir()).unwrap();
    until("the decision to be noted", || {
        ledger.without().unwrap().len() == 1
    })
    .await;
    // Created while the daemon was away, and given none by the configuration then.
    node.add("settled", "apps", LIVES);
    node.start_daemon("none.json").await;
    until("the other to be noted", || ledger.without().unwrap().len() == 2).await;
    node.add("missed", "apps", LIVES);
    node.start_daemon("default.json").await;
    let found = node.until_found(|found| !found.is_empty()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(of(&found, "missed").is_some());

    let daemon = node.daemon.as_mut().unwrap();
    daemon
        .remove_container(&pod, &decided)
        .await
        .into_answer()
        .unwrap();
    until("the note to go with the container", || {
        ledger.without().unwrap().len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_container_with_its_hooks_is_none_without_them() {
    let mut node = Node::new("");
    node.start_daemon("default.json").await;
    let mut container = node.add("hooked", "apps", LIVES);
    let pod = node.pods[0].clone();
    let daemon = node.daemon.as_mut().unwrap();
    let answer = daemon
        .create_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
    container.annotations.extend(answer.adjust.annotations.clone());
    container.hooks = answer.adjust.hooks.clone();
    node.containers[0] = container;
    node.add("missed", "apps", LIVES);
    node.start_daemon("default.json").await;
    let found = node.until_found(|found| !found.is_empty()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(of(&found, "missed").is_some());
}

#[tokio::test]
async fn the_init_of_a_container_that_certainly_restarts_is_ended_once_in_an_hour() {
    let mut node = Node::new("missed.action = \"restart\"\n");
    // From now on decisions are noted.
    node.start_daemon("default.json").await;
    node.until_found(<[WithoutHooks]>::is_empty).await;
    node.add("web", "apps", LIVES);
    node.add(
        "handles-term",
        "apps",
        "trap 'exit 7' TERM; while :; do sleep 0.1; done",
    );
    node.add("bare", "apps", LIVES);
    node.pods[2].labels.remove(OF_DEPLOYMENT);
    node.start_daemon("default.json").await;
    until("both inits to end", || node.has_ended(0) && node.has_ended(1)).await;
    assert_eq!(
        node.inits[1].wait().unwrap().code(),
        Some(7),
        "it was asked first"
    );

    // Both come again without hooks, as if the daemon had been away.
    for index in 0..2 {
        let init = Command::new("/bin/sh")
            .args(["-c", LIVES])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        node.containers[index].pid = init.id();
        node.containers[index].id += "2";
        node.inits[index] = init;
    }
    node.start_daemon("default.json").await;
    let is_kept =
        |found: &[WithoutHooks], pod: &str, why: &str| of(found, pod).is_some_and(|it| it.then.contains(why));
    let found = node
        .until_found(|found| {
            ["web", "handles-term"]
                .iter()
                .all(|pod| is_kept(found, pod, "within the last hour"))
        })
        .await;
    assert!(is_kept(&found, "bare", "Deployment"), "{found:?}");
    assert!((0..3).all(|index| !node.has_ended(index)));
}

#[tokio::test]
async fn nothing_is_ended_while_a_file_is_refused() {
    let mut node = Node::new("missed.action = \"restart\"\n");
    let hooks_d = node.root.path().join("hooks.d");
    fs::create_dir(&hooks_d).unwrap();
    fs::write(hooks_d.join("bad.json"), "{").unwrap();
    node.configuration += &format!("hooks_dirs = [{hooks_d:?}]\n");
    node.start_daemon("default.json").await;
    node.add("web", "apps", LIVES);
    node.start_daemon("default.json").await;
    let is_kept = |found: &[WithoutHooks]| {
        found
            .iter()
            .any(|it| it.then.contains("fix the configuration first"))
    };
    node.until_found(is_kept).await;
    assert!(!node.has_ended(0));
}
