//! The lives of containers with one hook at one stage, timed call by call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, Hook, HookSpec, Plugin, Pod, Runtime};

/// The stages, in the order of a life.
pub(crate) const STAGES: [&str; 3] = ["prestart", "poststart", "poststop"];

/// What every stage's one hook runs: it reads the state that it gets, and does nothing else. crun is killed by SIGPIPE
/// if it starts a hook itself that ends before it has written the state.
const HOOK: [&str; 3] = ["/bin/dd", "of=/dev/null", "status=none"];

/// A containerd of its own with a plugin, and a pod for each stage whose containers get a hook there alone.
pub(crate) struct Subject {
    pods: Vec<Pod>,
    pub(crate) measured: [Measured; 3],
    _plugin: Plugin,
    containerd: Containerd,
}

/// How long the calls took for the containers with a hook at one stage.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) starts: Vec<Duration>,
    pub(crate) stops: Vec<Duration>,
}

impl Subject {
    /// Hooks delivered so; without `delivery`, containers get none.
    pub(crate) async fn new(runtime: Runtime, delivery: Option<Delivery>) -> Result<Self> {
        let containerd = runtime.start().await?;
        for stage in STAGES {
            let hook = Hook::new(HOOK[0]).args(HOOK).timeout(5);
            let spec = match stage {
                "prestart" => HookSpec::new().prestart(hook),
                "poststart" => HookSpec::new().poststart(hook),
                _ => HookSpec::new().poststop(hook),
            };
            containerd.hooks().spec(stage, &spec)?;
        }
        let plugin = containerd
            .plugin()
            .delivery(delivery.unwrap_or(Delivery::Direct).word());
        let plugin = plugin.start().await?;
        let mut pods = Vec::new();
        for stage in STAGES {
            let mut pod = containerd.pod(stage);
            if delivery.is_some() {
                pod = pod.annotation(ANNOTATION, stage);
            }
            pods.push(pod.run().await?);
        }
        Ok(Self {
            pods,
            measured: Default::default(),
            _plugin: plugin,
            containerd,
        })
    }

    /// Has one container live for each stage; the times count unless this is to warm up.
    pub(crate) async fn live(&mut self, attempt: u32, is_warm_up: bool) -> Result<()> {
        for (pod, measured) in self.pods.iter().zip(&mut self.measured) {
            let container = pod.container("app").attempt(attempt).create().await?;
            let start = timed(container.start()).await.context("start a container")?;
            let stop = timed(container.stop(10)).await.context("stop a container")?;
            container.remove().await?;
            if !is_warm_up {
                measured.starts.push(start);
                measured.stops.push(stop);
            }
        }
        Ok(())
    }

    pub(crate) fn end(self) {
        self.containerd.remove_silently();
    }
}

async fn timed<E: Into<anyhow::Error>>(call: impl Future<Output = Result<(), E>>) -> Result<Duration> {
    let begin = Instant::now();
    call.await.map_err(Into::into)?;
    Ok(begin.elapsed())
}
