//! The lives of containers with one hook at one stage or at each, timed call by call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, Hook, HookSpec, Plugin, Pod, Runtime};

use crate::way::Way;

/// The hook-specs, each with a pod of its own: one hook at one stage, in the order of a life, then one at each.
pub(crate) const SPECS: [&str; 4] = ["prestart", "poststart", "poststop", "all"];

/// The one of [`SPECS`] with a hook at each stage, which is the last.
pub(crate) const ALL_STAGES: usize = SPECS.len() - 1;

/// The lives whose processor time is one sample: the kernel counts it in hundredths of a second.
pub(crate) const LIVES_OF_SAMPLE: usize = 10;

/// What every stage's one hook runs: it reads the state that it gets, and does nothing else. crun is killed by SIGPIPE
/// if it starts a hook itself that ends before it has written the state.
const HOOK: [&str; 3] = ["/bin/dd", "of=/dev/null", "status=none"];

/// What a node's containers have of hooks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// No daemon.
    NoDaemon,
    /// A daemon, and no container that selects a hook.
    NoHooks,
    /// This gives them hooks.
    Hooks(Way),
}

/// A containerd of its own, and a pod for each of [`SPECS`].
pub(crate) struct Subject {
    pods: Vec<Pod>,
    pub(crate) measured: [Measured; SPECS.len()],
    processor: Processor,
    _plugin: Option<Plugin>,
    containerd: Containerd,
}

/// How long the calls took for the containers of one pod.
#[derive(Default)]
pub(crate) struct Measured {
    /// Create and start together.
    pub(crate) creates_and_starts: Vec<Duration>,
    pub(crate) starts: Vec<Duration>,
    pub(crate) stops: Vec<Duration>,
    pub(crate) removes: Vec<Duration>,
    /// Processor time of the node for [`LIVES_OF_SAMPLE`] lives, with what is done behind them.
    pub(crate) processor_times: Vec<Duration>,
}

/// The processor time of the node in lives of containers of one pod.
#[derive(Default)]
struct Processor {
    /// At the beginning of the last life.
    began: Duration,
    /// In so many lives since the last sample.
    used: Duration,
    lives: usize,
}

impl Subject {
    /// A node with its pods, ready for [`Subject::live`].
    pub(crate) async fn new(runtime: Runtime, setup: Setup) -> Result<Self> {
        let containerd = runtime.start().await?;
        let way = match setup {
            Setup::NoDaemon => None,
            Setup::NoHooks => Some(Way::Daemon(Delivery::Runner)),
            Setup::Hooks(way) => Some(way),
        };
        let plugin = match way {
            Some(way) => Some(
                way.start(&containerd, &SPECS.map(|name| (name, spec(name))))
                    .await?,
            ),
            None => None,
        };
        let mut pods = Vec::new();
        for name in SPECS {
            let mut pod = containerd.pod(name);
            if matches!(setup, Setup::Hooks(_)) {
                pod = pod.annotation(ANNOTATION, name);
            }
            pods.push(pod.run().await?);
        }
        Ok(Self {
            pods,
            measured: Default::default(),
            processor: Processor::default(),
            _plugin: plugin,
            containerd,
        })
    }

    /// Has one container live in each pod; the times count unless this is to warm up.
    pub(crate) async fn live(&mut self, attempt: u32, is_warm_up: bool) -> Result<()> {
        self.end_life()?;
        for (index, (pod, measured)) in self.pods.iter().zip(&mut self.measured).enumerate() {
            if index == ALL_STAGES && !is_warm_up {
                self.processor.began = self.containerd.node().processor_time()?;
                self.processor.lives += 1;
            }
            let begin = Instant::now();
            let container = pod.container("app").attempt(attempt).create().await?;
            let start = timed(container.start()).await.context("start a container")?;
            let create_and_start = begin.elapsed();
            // Without grace: right after its start, the program may not handle a signal yet, and would outlive it.
            let stop = timed(container.stop(0)).await.context("stop a container")?;
            let remove = timed(container.remove()).await.context("remove a container")?;
            if !is_warm_up {
                measured.creates_and_starts.push(create_and_start);
                measured.starts.push(start);
                measured.stops.push(stop);
                measured.removes.push(remove);
            }
        }
        Ok(())
    }

    /// Counts the processor time of the last life; the others have taken their turns since, and nothing of it is left
    /// to be done.
    fn end_life(&mut self) -> Result<()> {
        let Processor { began, used, lives } = &mut self.processor;
        if *lives == 0 {
            return Ok(());
        }
        *used += self.containerd.node().processor_time()?.saturating_sub(*began);
        if *lives == LIVES_OF_SAMPLE {
            self.measured[ALL_STAGES].processor_times.push(*used);
            self.processor = Processor::default();
        }
        Ok(())
    }

    pub(crate) fn end(self) {
        self.containerd.remove_silently();
    }
}

/// The hook-spec of this name.
fn spec(name: &str) -> HookSpec {
    let hook = Hook::new(HOOK[0]).args(HOOK).timeout(5);
    match name {
        "prestart" => HookSpec::new().prestart(hook),
        "poststart" => HookSpec::new().poststart(hook),
        "poststop" => HookSpec::new().poststop(hook),
        _ => HookSpec::new()
            .prestart(hook.clone())
            .poststart(hook.clone())
            .poststop(hook),
    }
}

async fn timed<E: Into<anyhow::Error>>(call: impl Future<Output = Result<(), E>>) -> Result<Duration> {
    let begin = Instant::now();
    call.await.map_err(Into::into)?;
    Ok(begin.elapsed())
}
