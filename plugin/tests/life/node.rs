//! A node with one container, whose events and deaths the test decides.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use containerd_nri::api::{self, Container, ContainerState, PodSandbox};
use containerd_nri_testkit::{
    ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nri_oci_hooks::ledger::{EntryDirectory, Ledger};
use nri_oci_hooks::model::{ContainerId, Stage};
use tokio::time::{sleep, timeout};

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it looks at files that other processes write.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// Deletes a container when its init ends.
    Containerd,
    /// Deletes it when it is removed.
    Crio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Runner,
    Events,
}

pub(crate) struct Node {
    // Dropped first: what it has started still writes below `root`.
    daemon: Option<PluginHandle>,
    init: Option<Init>,
    fake: FakeRuntime,
    runtime: Runtime,
    delivery: Delivery,
    pod: PodSandbox,
    pub(crate) container: Container,
    /// The hooks that the daemon has given to the OCI runtime.
    injected: api::Hooks,
    root: tempfile::TempDir,
}

/// The init of the container: it waits for the start, then executes its program. It ends with the test.
struct Init(Child);

impl Drop for Init {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Node {
    /// A node whose hooks append the name of their stage to a log.
    pub(crate) fn new(runtime: Runtime, delivery: Delivery) -> Node {
        Node::with_prestart(runtime, delivery, "true")
    }

    /// The same, with a prestart hook that ends with this command of the shell; `$D` is a directory of
    /// the test's own.
    pub(crate) fn with_prestart(runtime: Runtime, delivery: Delivery, command: &str) -> Node {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().display().to_string();
        let hook = |stage: &str, command: &str| {
            let script = format!("D={directory}; echo {stage} >>$D/log; {command}");
            serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }])
        };
        let spec = serde_json::json!({
            "prestart": hook("prestart", command),
            "poststart": hook("poststart", "true"),
            "poststop": hook("poststop", "true"),
        });
        fs::write(root.path().join("default.json"), spec.to_string()).unwrap();
        let profile = match runtime {
            Runtime::Containerd => RuntimeProfile::containerd_2_1(),
            Runtime::Crio => RuntimeProfile::crio_1_35(),
        };
        let pod = PodBuilder::new("web").build();
        Node {
            daemon: None,
            init: None,
            fake: FakeRuntime::builder(profile)
                .request_timeout(LIMIT)
                .without_socket(),
            runtime,
            delivery,
            container: ContainerBuilder::new(&pod, "app").build(),
            pod,
            injected: api::Hooks::default(),
            root,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Kills the daemon, if one is alive, as `kill -9` does.
    pub(crate) fn kill_daemon(&mut self) {
        self.daemon = None;
    }

    /// Starts a daemon, in place of the one that is alive.
    pub(crate) async fn start_daemon(&mut self) {
        self.kill_daemon();
        let state = self.container.state.enum_value();
        let listed = match state {
            Ok(ContainerState::CONTAINER_UNKNOWN) | Err(_) => Vec::new(),
            Ok(_) => vec![self.container.clone()],
        };
        self.fake.set_state(vec![self.pod.clone()], listed);
        let delivery = match self.delivery {
            Delivery::Runner => "runner",
            Delivery::Events => "events",
        };
        let config = format!(
            "hook_spec = {:?}\nstate_dir = {:?}\ndelivery = {delivery:?}\n",
            self.path("default.json"),
            self.path("state")
        );
        let program = env!("CARGO_BIN_EXE_nri-oci-hooks");
        let daemon = self
            .fake
            .launch(program, &"10-hooks".parse().unwrap(), &config)
            .await;
        self.daemon = Some(daemon.unwrap());
    }

    /// The connection, which the front of the daemon holds.
    pub(crate) fn connection(&self) -> &PluginHandle {
        self.daemon.as_ref().unwrap()
    }

    /// The process of the daemon behind its front; none while there is none.
    pub(crate) fn process(&self) -> Option<Pid> {
        let front = self.connection().process_id().unwrap();
        let children = fs::read_to_string(format!("/proc/{front}/task/{front}/children")).unwrap_or_default();
        let child = children.split_whitespace().next()?;
        Some(Pid::from_raw(child.parse().unwrap()))
    }

    /// Sends the daemon behind its front a signal. Returns its process.
    pub(crate) fn signal(&self, signal: Signal) -> Pid {
        let process = self.process().unwrap();
        kill(process, signal).unwrap();
        process
    }

    /// Kills the daemon behind its front, and waits until the next one is there.
    pub(crate) async fn kill_behind_front(&self) {
        let before = self.signal(Signal::SIGKILL);
        until("the next daemon", || {
            self.process().is_some_and(|process| process != before)
        })
        .await;
    }

    /// Writes other hooks into the hook-spec.
    pub(crate) fn specify(&self, spec: &serde_json::Value) {
        fs::write(self.path("default.json"), spec.to_string()).unwrap();
    }

    /// NRI CreateContainer.
    pub(crate) async fn request_create(&mut self) -> api::ContainerAdjustment {
        let daemon = self.daemon.as_mut().unwrap();
        let answer = daemon.create_container(&self.pod, &self.container).await;
        answer.into_answer().unwrap().adjust.unwrap_or_default()
    }

    /// NRI CreateContainer, and the OCI runtime's `create`.
    pub(crate) async fn create(&mut self) -> bool {
        self.injected = self.request_create().await.hooks.unwrap_or_default();
        let init = Command::new("/bin/sh")
            .args(["-c", "read start && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let init = init.unwrap();
        self.container.pid = init.id();
        self.container.state = ContainerState::CONTAINER_CREATED.into();
        self.init = Some(Init(init));
        self.runs(Stage::Prestart).await
    }

    /// NRI StartContainer; whether the runtime goes on.
    pub(crate) async fn is_allowed_to_start(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return true;
        };
        let outcome = daemon.start_container(&self.pod, &self.container).await;
        !matches!(outcome, Outcome::Refused(_))
    }

    /// The OCI runtime's `start`.
    pub(crate) async fn execute(&mut self) {
        let Init(init) = self.init.as_mut().unwrap();
        let shell = program(init);
        init.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let (pid, container) = (init.id(), &mut self.container);
        container.state = ContainerState::CONTAINER_RUNNING.into();
        until("init to execute its program", || program_of(pid) != shell).await;
        self.runs(Stage::Poststart).await;
    }

    /// NRI PostStartContainer.
    pub(crate) async fn started(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.post_start_container(&self.pod, &self.container).await;
        }
    }

    /// Init ends, and the runtime has not seen it yet.
    pub(crate) fn end_init(&mut self) {
        self.init = None;
    }

    /// The runtime sees that init has ended; containerd has its OCI runtime delete the container.
    pub(crate) async fn see_end(&mut self) {
        self.container.state = ContainerState::CONTAINER_STOPPED.into();
        self.container.pid = 0;
        if self.runtime == Runtime::Containerd {
            self.runs(Stage::Poststop).await;
        }
    }

    /// NRI StopContainer.
    pub(crate) async fn stopped(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.stop_container(&self.pod, &self.container).await;
        }
    }

    /// NRI RemoveContainer, and what the runtime does after it.
    pub(crate) async fn remove(&mut self) {
        self.removed().await;
        self.delete().await;
    }

    /// NRI RemoveContainer.
    pub(crate) async fn removed(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.remove_container(&self.pod, &self.container).await;
        }
    }

    /// The runtime forgets the container; CRI-O has its OCI runtime delete it.
    pub(crate) async fn delete(&mut self) {
        if self.runtime == Runtime::Crio {
            self.runs(Stage::Poststop).await;
        }
        self.container.state = ContainerState::CONTAINER_UNKNOWN.into();
    }

    /// Runs the runner that the container's OCI spec names for `stage`, as the OCI runtime does;
    /// whether that goes on.
    async fn runs(&self, stage: Stage) -> bool {
        let (hooks, status) = match stage {
            Stage::Prestart => (&self.injected.prestart, "creating"),
            Stage::Poststart => (&self.injected.poststart, "running"),
            _ => (&self.injected.poststop, "stopped"),
        };
        for hook in hooks {
            let state = serde_json::json!({
                "ociVersion": "1.1.0",
                "id": self.container.id,
                "status": status,
                "pid": if status == "stopped" { 0 } else { self.container.pid },
                "bundle": self.root.path(),
            });
            let mut runner = tokio::process::Command::new(&hook.path)
                .args(&hook.args[1..])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut stdin = runner.stdin.take().unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stdin, state.to_string().as_bytes())
                .await
                .unwrap();
            drop(stdin);
            if !runner.wait().await.unwrap().success() {
                return false;
            }
        }
        true
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.path("state")).unwrap()
    }

    fn id(&self) -> ContainerId {
        self.container.id.parse().unwrap()
    }

    /// The container in the ledger, until it is archived.
    pub(crate) fn tracked(&self) -> Option<EntryDirectory> {
        self.ledger().find(&self.id()).unwrap()
    }

    /// Waits until `stage` is over.
    pub(crate) async fn until_over(&self, stage: Stage) {
        until(&format!("{stage} to be over"), || {
            let tracked = self.tracked();
            tracked.is_none_or(|files| files.finished(stage).unwrap().is_some())
        })
        .await;
    }

    /// Waits until nothing is pending of the removed container.
    pub(crate) async fn until_archived(&self) {
        until("the container to be archived", || self.tracked().is_none()).await;
    }

    /// The stages whose hook has run, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn is_init_alive(&mut self) -> bool {
        let Some(Init(init)) = &mut self.init else {
            return false;
        };
        init.try_wait().unwrap().is_none()
    }
}

fn program(child: &Child) -> Option<PathBuf> {
    program_of(child.id())
}

fn program_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Waits for what other processes do to files.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let come = async {
        while !is_so() {
            sleep(POLL_INTERVAL).await;
        }
    };
    if timeout(LIMIT, come).await.is_err() {
        panic!("waited in vain for {what}");
    }
}
