//! One plugin under measurement: its program, its runtime, and what was measured so far.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use containerd_nri::api::{Container, PodSandbox};
use containerd_nri_testkit::{FakeRuntime, Outcome, PluginHandle, RuntimeProfile};
use nri_oci_hooks::ledger::{
    Claimed, Created, Ledger, Outcome as LedgerOutcome, Output, StageResult, Trigger,
};
use nri_oci_hooks::model::Stage;
use tokio::time::timeout;

use crate::process;

/// How long a plugin may take to appear, or to appear again.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The plugin under test.
#[derive(Default)]
pub(crate) struct Measured {
    /// Resident memory in kB, at rest and later.
    pub(crate) resident_idle: u64,
    pub(crate) resident_of_front: u64,
    pub(crate) resident_after_synchronize: u64,
    pub(crate) creates: Vec<Duration>,
    /// How much processor time each Synchronize of many containers took, with what is done behind it.
    pub(crate) synchronizations_cpu: Vec<Duration>,
    /// How long all events of a container's life took together.
    pub(crate) lives: Vec<Duration>,
}

/// A plugin, and the runtime that it alone is connected to.
pub(crate) struct Subject {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where its standard error goes.
    log: PathBuf,
    /// The address of its metrics, if it has some.
    metrics: Option<PathBuf>,
    /// Its ledger, if it has one.
    ledger: PathBuf,
    runtime: FakeRuntime,
    running: Option<Running>,
    pub(crate) measured: Measured,
}

/// The process of a plugin, killed when dropped, and its connection.
struct Running {
    process: Child,
    handle: PluginHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Subject {
    /// A plugin that is not started yet.
    pub(crate) fn new(command: &str, socket: &Path, hook_spec: &Path) -> anyhow::Result<Self> {
        let listens = command.contains("{listening}");
        let metrics = listens.then(|| socket.with_extension("metrics"));
        let configuration = socket.with_extension("toml");
        if let Some(metrics) = &metrics {
            fs::write(&configuration, format!("listen = {metrics:?}\n"))
                .with_context(|| format!("cannot write {}", configuration.display()))?;
        }
        let ledger = socket.with_extension("state");
        let command = command
            .replace("{listening}", &configuration.to_string_lossy())
            .replace("{socket}", &socket.to_string_lossy())
            .replace("{hook-spec}", &hook_spec.to_string_lossy())
            .replace("{state-dir}", &ledger.to_string_lossy());
        let mut words = command.split_whitespace().map(str::to_owned);
        let first = words.next().context("a --plugin has no command")?;
        let (name, program) = match first.split_once('=') {
            Some((name, program)) => (name.to_owned(), PathBuf::from(program)),
            None => (
                first.rsplit('/').next().unwrap_or_default().to_owned(),
                PathBuf::from(&first),
            ),
        };
        let builder = FakeRuntime::builder(RuntimeProfile::containerd_main());
        let runtime = builder
            .listen(socket)
            .with_context(|| format!("cannot listen on {}", socket.display()))?;
        Ok(Self {
            name,
            program,
            arguments: words.collect(),
            log: socket.with_extension("log"),
            metrics,
            ledger,
            runtime,
            running: None,
            measured: Measured::default(),
        })
    }

    /// Starts the plugin, and waits until it is registered, configured and synchronized.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let log = File::create(&self.log).context("cannot create a log file")?;
        let process = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let accepted = timeout(ACCEPT_TIMEOUT, self.runtime.accept()).await;
        let handle = accepted
            .with_context(|| {
                format!(
                    "{} does not connect to its socket{}",
                    self.name,
                    self.last_words()
                )
            })?
            .with_context(|| format!("{} is not taken in{}", self.name, self.last_words()))?;
        self.running = Some(Running { process, handle });
        Ok(())
    }

    /// Restarts the runtime with other pods and containers, and waits until the plugin is synchronized.
    pub(crate) async fn resynchronize(
        &mut self,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> anyhow::Result<()> {
        self.runtime.set_state(pods, containers);
        self.runtime
            .restart()
            .context("cannot restart the fake runtime")?;
        let accepted = timeout(ACCEPT_TIMEOUT, self.runtime.accept()).await;
        let name = self.name.clone();
        self.running()?.handle = accepted
            .with_context(|| format!("{name} does not connect again"))?
            .with_context(|| format!("{name} is not taken in again"))?;
        Ok(())
    }

    /// Calls CreateContainer; how long it took.
    pub(crate) async fn create(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> anyhow::Result<Duration> {
        let running = self.running()?;
        let started = Instant::now();
        let outcome = running.handle.create_container(pod, container).await;
        let took = started.elapsed();
        outcome
            .into_answer()
            .with_context(|| format!("{} at CreateContainer", self.name))?;
        Ok(took)
    }

    /// Calls the events of a container's life that follow CreateContainer, as far as the plugin subscribes to them.
    /// Returns their duration in all, which is how long they hold the runtime's lock.
    pub(crate) async fn other_events(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> anyhow::Result<Duration> {
        let handle = &mut self.running()?.handle;
        let begin = Instant::now();
        answered(handle.post_create_container(pod, container).await)?;
        answered(handle.start_container(pod, container).await)?;
        answered(handle.post_start_container(pod, container).await)?;
        answered(handle.stop_container(pod, container).await)?;
        answered(handle.remove_container(pod, container).await)?;
        Ok(begin.elapsed())
    }

    /// Writes what a runner would have of the start of these containers, if they are in a ledger.
    pub(crate) fn have_started(&self, containers: &[Container]) -> anyhow::Result<()> {
        if !self.ledger.exists() {
            return Ok(());
        }
        let ledger = Ledger::open(&self.ledger)?;
        for container in containers {
            let id = container.id.parse().map_err(anyhow::Error::msg)?;
            let Some(files) = ledger.find(&id)? else { continue };
            files.note_created(Stage::Prestart, &Created::default())?;
            for stage in [Stage::Prestart, Stage::Poststart] {
                let hooks = files.hooks(stage)?;
                let Claimed::Ours(mut claim) = files.claim(stage, Trigger::Oci)? else {
                    anyhow::bail!("somebody else has run {stage} of {id}");
                };
                for (index, hook) in hooks.iter().enumerate() {
                    claim.began(index, hook)?;
                    let (success, none) = (LedgerOutcome::Exited { status: 0 }, Output::default());
                    claim.ended(index, success, none.clone(), none)?;
                }
                claim.finish(StageResult::Done)?;
            }
            files.note_start_is_over()?;
        }
        Ok(())
    }

    fn running(&mut self) -> anyhow::Result<&mut Running> {
        let name = &self.name;
        self.running
            .as_mut()
            .with_context(|| format!("{name} is not running"))
    }

    /// The processor time that its processes have used.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let started = self.started()?;
        let behind = process::children(started)?;
        [started]
            .into_iter()
            .chain(behind)
            .map(process::processor_time)
            .sum()
    }

    /// Its resident memory in kB; if it has metrics, after they were read.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        if let Some(metrics) = &self.metrics {
            scrape(metrics).with_context(|| format!("{} does not tell its metrics", self.name))?;
        }
        process::resident(self.process()?)
    }

    /// The resident memory in kB of the process that stands before it; 0 if there is none.
    pub(crate) fn resident_of_front(&self) -> anyhow::Result<u64> {
        let started = self.started()?;
        match self.process()? == started {
            true => Ok(0),
            false => process::resident(started),
        }
    }

    /// The process that handles events: the one that was started, or the one that this holds the connection for.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        let started = self.started()?;
        Ok(process::children(started)?.first().copied().unwrap_or(started))
    }

    fn started(&self) -> anyhow::Result<u32> {
        let running = self
            .running
            .as_ref()
            .with_context(|| format!("{} is not running", self.name))?;
        Ok(running.process.id())
    }

    /// The last output of the plugin, to explain a failure.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines()
            .last()
            .map(|line| format!("; its last words: {line}"))
            .unwrap_or_default()
    }
}

/// Fails unless the plugin answered the event or does not subscribe to it.
fn answered<T>(outcome: Outcome<T>) -> anyhow::Result<()> {
    match outcome {
        Outcome::NotSubscribed => Ok(()),
        outcome => Ok(outcome.into_answer().map(drop)?),
    }
}

/// Asks for the metrics, as Prometheus does.
fn scrape(socket: &Path) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.contains("resident_memory_bytes"), "{answer}");
    Ok(())
}
