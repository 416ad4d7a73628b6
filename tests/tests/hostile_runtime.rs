//! The daemon against runtimes that send what no runtime should: it neither dies nor hangs nor takes much memory,
//! and serves the next runtime as if nothing had happened.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use containerd_nri::api::{
    ConfigureRequest, Container, CreateContainerRequest, Message, Mount, PodSandbox, SynchronizeRequest,
};
use containerd_nri_testkit::{ContainerBuilder, FakeRuntime, PodBuilder, RawConnection, RuntimeProfile};
use e2e::plugin::ANNOTATION;
use e2e::{realistic, workspace};
use tempfile::TempDir;
use tokio::time::timeout;

/// The connection on which the plugin calls the runtime.
const RUNTIME: u32 = 2;

/// The most memory that the daemon may ever have had, in kB.
const MAX_MEMORY: u64 = 64 * 1024;

/// Far more than anything here needs.
const LONG: Duration = Duration::from_secs(30);

/// An `nri-oci-hooks run` and the runtime that it connects to.
struct Daemon {
    process: Child,
    runtime: FakeRuntime,
    directory: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    fn start() -> Result<Daemon> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("nri.sock");
        let runtime = FakeRuntime::builder(RuntimeProfile::containerd_main()).listen(&socket)?;
        let config = directory.path().join("config.toml");
        fs::write(
            &config,
            format!("state_dir = {:?}", directory.path().join("state")),
        )?;
        let process = Command::new(workspace::nri_oci_hooks()?)
            .arg("run")
            .arg("--config")
            .arg(config)
            .arg("--nri-socket")
            .arg(socket)
            .stderr(File::create(directory.path().join("log"))?)
            .spawn()?;
        Ok(Daemon {
            process,
            runtime,
            directory,
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// A connection on which it has sent its registration.
    async fn connection(&mut self) -> Result<RawConnection> {
        let mut connection = timeout(LONG, self.runtime.accept_raw()).await??;
        let registration = timeout(LONG, connection.read_frame())
            .await?
            .context("no registration")?;
        ensure!(registration.connection == RUNTIME);
        Ok(connection)
    }

    /// Sees that it serves a runtime that keeps the rules, has not taken too much memory, and has not panicked.
    async fn is_well(&mut self) -> Result<()> {
        let connected = async {
            loop {
                // Connections that it gave up while nobody accepted them come first.
                if let Ok(plugin) = self.runtime.accept().await {
                    return plugin;
                }
            }
        };
        let mut plugin = timeout(LONG, connected).await.context("it does not come back")?;
        let pod = PodBuilder::new("web").build();
        let container = ContainerBuilder::new(&pod, "app").build();
        plugin.create_container(&pod, &container).await.into_answer()?;
        let log = fs::read_to_string(self.log())?;
        ensure!(log.len() < 1 << 16, "a log of {} bytes", log.len());
        ensure!(!log.contains("panicked"), "{log}");
        let shown = |c: char| c == '\n' || !c.is_control();
        ensure!(log.chars().all(shown), "{log}");
        ensure!(self.process.try_wait()?.is_none(), "it has ended");
        let memory = self.most_memory()?;
        ensure!(memory < MAX_MEMORY, "it has taken {memory} kB");
        Ok(())
    }

    /// The most memory that it ever had, in kB.
    fn most_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        Ok(number.context("no VmHWM")?.parse()?)
    }
}

/// Sends requests to a daemon until it closes the connection, does not take them for a while, or all are sent.
async fn flood<M: Message>(method: &str, requests: impl IntoIterator<Item = M>) -> Result<()> {
    let mut daemon = Daemon::start()?;
    let mut connection = daemon.connection().await?;
    connection
        .write_request(1, "Configure", &ConfigureRequest::new())
        .await?;
    let mut stream = 3;
    for request in requests {
        let sent = connection.write_request(stream, method, &request);
        if !matches!(timeout(Duration::from_secs(3), sent).await, Ok(Ok(()))) {
            break;
        }
        // Answers are read, so that it takes in the next; it may close instead.
        let _ = timeout(Duration::from_secs(3), connection.read_frame()).await;
        stream += 2;
    }
    drop(connection);
    daemon.is_well().await
}

fn realistic(count: usize) -> Vec<Container> {
    let pod = realistic::pod("web");
    let container = |number| realistic::container(&pod, &format!("app-{number}")).build();
    (0..count).map(container).collect()
}

#[tokio::test]
async fn a_synchronization_without_end_takes_little_memory() -> Result<()> {
    let request = || SynchronizeRequest {
        containers: realistic(300),
        more: true,
        ..Default::default()
    };
    flood("Synchronize", (0..60).map(|_| request())).await
}

#[tokio::test]
async fn as_many_empty_containers_as_fit_a_message_are_refused() -> Result<()> {
    let request = || SynchronizeRequest {
        containers: vec![Container::new(); 1_900_000],
        more: true,
        ..Default::default()
    };
    flood("Synchronize", (0..3).map(|_| request())).await
}

#[tokio::test]
async fn as_many_empty_mounts_as_fit_a_message_are_refused() -> Result<()> {
    let request = CreateContainerRequest {
        pod: Some(PodSandbox::new()).into(),
        container: Some(Container {
            mounts: vec![Mount::new(); 1_900_000],
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    flood("CreateContainer", [request]).await
}

#[tokio::test]
async fn as_many_empty_arguments_as_fit_a_message_are_refused() -> Result<()> {
    let request = CreateContainerRequest {
        container: Some(Container {
            args: vec![String::new(); 1_900_000],
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    flood("CreateContainer", [request]).await
}

#[tokio::test]
async fn as_many_annotations_as_fit_a_message_are_refused() -> Result<()> {
    let annotations = (0..350_000).map(|number| (format!("{number:x}"), String::new()));
    let request = CreateContainerRequest {
        pod: Some(PodSandbox {
            annotations: annotations.collect(),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    flood("CreateContainer", [request]).await
}

#[tokio::test]
async fn a_configuration_as_long_as_a_message_is_refused() -> Result<()> {
    let config: String = (0..300_000).map(|number| format!("k{number:06} = 1\n")).collect();
    let request = ConfigureRequest {
        config,
        ..Default::default()
    };
    flood("Configure", [request]).await
}

#[tokio::test]
async fn requests_of_full_length_that_nobody_takes_the_answers_of_are_held_back() -> Result<()> {
    let mut daemon = Daemon::start()?;
    let mut connection = daemon.connection().await?;
    let request = ConfigureRequest {
        config: "#".repeat(4 << 20),
        ..Default::default()
    };
    let flood = async {
        for stream in (1..200).step_by(2) {
            let sent = connection.write_request(stream, "Configure", &request);
            if sent.await.is_err() {
                return;
            }
        }
    };
    // It stops reading when its answers pile up, or closes: both end the flood.
    let _ = timeout(Duration::from_secs(3), flood).await;
    drop(connection);
    daemon.is_well().await
}

#[tokio::test]
async fn names_as_long_as_a_message_reach_no_log_whole() -> Result<()> {
    let long = "\u{1b}[2J".repeat(700_000);
    let request = CreateContainerRequest {
        pod: Some(PodSandbox {
            name: long.clone(),
            annotations: [(format!("{ANNOTATION}/pod"), "../x".to_owned())].into(),
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    flood("CreateContainer", [request]).await
}

#[tokio::test]
async fn a_refusal_as_long_as_a_message_reaches_no_log_whole() -> Result<()> {
    let mut daemon = Daemon::start()?;
    let mut connection = daemon.connection().await?;
    let text = "\u{1b}[2J".repeat(1 << 19);
    // A ttrpc response with a status: code 6 and the text.
    let status = [&[8, 6, 0x12][..], &varint(text.len()), text.as_bytes()].concat();
    let body = [&[0x0A][..], &varint(status.len()), &status].concat();
    let length = u32::try_from(body.len())?;
    let message = [&length.to_be_bytes()[..], &[0, 0, 0, 1, 2, 0], &body].concat();
    for part in message.chunks(4096) {
        connection.write_frame(RUNTIME, part).await?;
    }
    drop(connection);
    daemon.is_well().await
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[tokio::test]
async fn a_runtime_that_never_answers_the_registration_is_given_up() -> Result<()> {
    let mut daemon = Daemon::start()?;
    let mut connection = daemon.connection().await?;
    let end = timeout(LONG, connection.read_frame())
        .await
        .context("it waits for ever")?;
    assert_eq!(end, None);
    daemon.is_well().await
}
