//! The examples, as the programs that they are: connected to a socket, and launched by the runtime.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use containerd_nri::api::KeyValue;
use containerd_nri::{Code, EventMask};
use containerd_nri_testkit::{
    ContainerBuilder, FakeRuntime, NoAnswer, Outcome, PodBuilder, RawConnection, RuntimeProfile,
};

use crate::plugins::{create, pod_and_container};
use crate::raw_plugin::{listen_as, socket};

/// The program of an example, which is built together with this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built: run the tests without --test",
        program.display()
    );
    program
}

/// A program that is killed at the end of its test.
struct Running(Child);

impl Running {
    fn start(name: &str, socket: &std::path::Path) -> Self {
        Self(
            Command::new(example(name))
                .arg(socket)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn inject_env_gives_a_container_the_variable_of_its_pods_annotation() {
    for profile in RuntimeProfile::all() {
        let (mut runtime, directory) = listen_as(profile);
        let _example = Running::start("inject_env", &socket(&directory));
        let mut plugin = runtime.accept().await.unwrap();
        assert_eq!((plugin.index(), plugin.name()), ("20", "inject-env"));
        let pod = PodBuilder::new("pod")
            .annotation("env.example.com/GREETING", "hello")
            .build();
        let container = ContainerBuilder::new(&pod, "app").build();
        let answer = plugin
            .create_container(&pod, &container)
            .await
            .into_answer()
            .unwrap();
        let greeting = KeyValue {
            key: "GREETING".to_owned(),
            value: "hello".to_owned(),
            ..Default::default()
        };
        assert_eq!(answer.adjust.env, [greeting]);
    }
}

#[tokio::test]
async fn inject_env_refuses_a_container_whose_annotation_names_no_variable() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let _example = Running::start("inject_env", &socket(&directory));
    let mut plugin = runtime.accept().await.unwrap();
    let pod = PodBuilder::new("pod")
        .annotation("env.example.com/", "hello")
        .build();
    let container = ContainerBuilder::new(&pod, "app").build();
    let refused = plugin.create_container(&pod, &container).await;
    assert!(
        matches!(&refused, Outcome::Refused(status) if status.code == Code::InvalidArgument),
        "{refused:?}"
    );
}

#[tokio::test]
async fn logger_prints_a_line_for_every_event() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let mut example = Running::start("logger", &socket(&directory));
    let mut plugin = runtime.accept().await.unwrap();
    assert_eq!(plugin.events(), EventMask::ALL);
    let (pod, container) = pod_and_container();
    plugin.run_pod_sandbox(&pod).await.into_answer().unwrap();
    plugin
        .start_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
    let lines = BufReader::new(example.0.stdout.take().unwrap()).lines();
    let words: Vec<String> = lines
        .take(4)
        .map(|line| line.unwrap().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        words,
        ["configure", "synchronize", "run_pod_sandbox", "start_container"]
    );
}

#[tokio::test]
async fn a_launched_plugin_has_the_name_and_index_of_its_file() {
    let mut runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).without_socket();
    let mut plugin = runtime
        .launch(example("empty"), &"07-renamed".parse().unwrap(), "")
        .await
        .unwrap();
    assert_eq!((plugin.index(), plugin.name()), ("07", "renamed"));
    create(&mut plugin).await.into_answer().unwrap();
}

#[tokio::test]
async fn a_launched_plugin_gets_three_variables_the_socket_and_null_devices() {
    let mut runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).without_socket();
    let plugin = runtime
        .launch(example("empty"), &"07-renamed".parse().unwrap(), "")
        .await
        .unwrap();
    let process = PathBuf::from(format!("/proc/{}", plugin.process_id().unwrap()));
    let environment = std::fs::read_to_string(process.join("environ")).unwrap();
    let mut variables: Vec<&str> = environment.split_terminator('\0').collect();
    variables.sort_unstable();
    assert_eq!(
        variables,
        [
            "NRI_PLUGIN_IDX=07",
            "NRI_PLUGIN_NAME=renamed",
            "NRI_PLUGIN_SOCKET=3"
        ]
    );
    let descriptor = |number: u32| {
        let link = std::fs::read_link(process.join("fd").join(number.to_string())).unwrap();
        link.to_string_lossy().into_owned()
    };
    assert_eq!([0, 1, 2].map(descriptor), ["/dev/null"; 3]);
    assert!(descriptor(3).starts_with("socket:"));
}

#[tokio::test]
async fn a_launched_plugin_is_killed_when_it_is_too_slow() {
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1());
    let mut runtime = builder
        .request_timeout(Duration::from_millis(300))
        .without_socket();
    let mut plugin = runtime
        .launch(example("empty"), &"07-empty".parse().unwrap(), "")
        .await
        .unwrap();
    let process = plugin.process_id().unwrap();
    let stopped = Command::new("kill")
        .args(["-STOP", &process.to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    let outcome = create(&mut plugin).await;
    assert!(
        matches!(outcome, Outcome::NoAnswer(NoAnswer::Timeout(_))),
        "{outcome:?}"
    );
    assert!(!PathBuf::from(format!("/proc/{process}")).exists());
}

/// Sends a signal to a process.
fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test]
async fn a_plugin_with_a_failure_policy_that_hangs_lets_no_container_through_and_goes_on_where_it_was() {
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_4_nri_0_12_5());
    let mut runtime = builder
        .request_timeout(Duration::from_millis(300))
        .without_socket();
    let mut plugin = runtime
        .launch(example("guard"), &"05-guard".parse().unwrap(), "")
        .await
        .unwrap();
    let process = plugin.process_id().unwrap();
    signal(process, "-STOP");
    for _ in 0..3 {
        let Outcome::Failed(failed) = create(&mut plugin).await else {
            panic!("a container was created")
        };
        let expected = "plugin 05-guard failed to handle CreateContainer request: context deadline exceeded";
        assert_eq!(failed.to_string(), expected);
    }
    signal(process, "-CONT");
    // It now answers the earlier request; the runtime no longer expects that.
    let created = tokio::time::timeout(Duration::from_secs(30), async {
        while create(&mut plugin).await.into_answer().is_err() {}
    });
    created.await.expect("the plugin answers again");
    assert_eq!(plugin.end(), None);
}

#[tokio::test]
async fn a_launched_plugin_ends_when_its_runtime_goes_away() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut example = Command::new("/bin/sh")
        .args(["-c", "exec 3<&0 </dev/null; exec \"$0\""])
        .arg(example("empty"))
        .env("NRI_PLUGIN_NAME", "empty")
        .env("NRI_PLUGIN_IDX", "07")
        .env("NRI_PLUGIN_SOCKET", "3")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut connection = RawConnection::new(tokio::net::UnixStream::from_std(ours).unwrap());
    connection.read_frame().await.expect("a registration");
    drop(connection);
    assert!(
        tokio::task::spawn_blocking(move || example.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
}
