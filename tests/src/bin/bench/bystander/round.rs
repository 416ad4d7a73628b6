//! One containerd with its pods, and one round on it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Container, Containerd, Hook, HookSpec, Plugin, Pod};
use futures::future::{try_join, try_join_all};

use super::Arguments;
use crate::way::Way;

/// The hook-spec of the pods with hooks.
const SPEC: &str = "slow";

/// A containerd of its own, with pods that have hooks, and one without.
pub(crate) struct Subject {
    pods: Vec<Pod>,
    bystander: Pod,
    pub(crate) measured: Measured,
    _plugin: Option<Plugin>,
    containerd: Containerd,
}

/// One duration for each round.
#[derive(Default)]
pub(crate) struct Measured {
    /// The slowest create and start of the bystander while the others start.
    pub(crate) bystander: Vec<Duration>,
    /// From the first create to the last start of the others.
    pub(crate) starts: Vec<Duration>,
    /// From the first stop of the others to the last.
    pub(crate) stops: Vec<Duration>,
}

impl Subject {
    /// Hooks come by this `way`; without it, there is no daemon and no hook.
    pub(crate) async fn new(arguments: &Arguments, way: Option<Way>) -> Result<Self> {
        let containerd = arguments.runtime.start().await?;
        let plugin = match way {
            Some(way) => {
                let specs = [(SPEC, slow_hooks(arguments.seconds))];
                Some(way.start(&containerd, &specs).await?)
            }
            None => None,
        };
        let mut pods = Vec::new();
        for number in 0..arguments.pods {
            let mut pod = containerd.pod(&format!("pod-{number}"));
            if way.is_some() {
                pod = pod.annotation(ANNOTATION, SPEC);
            }
            pods.push(pod.run().await?);
        }
        let bystander = containerd.pod("bystander").run().await?;
        Ok(Self {
            pods,
            bystander,
            measured: Measured::default(),
            _plugin: plugin,
            containerd,
        })
    }

    /// Starts a container in each pod at once, then stops them at once. The durations count unless this is to warm up.
    pub(crate) async fn round(&mut self, round: u32, is_warm_up: bool) -> Result<()> {
        let all_started = Cell::new(false);
        let begin = Instant::now();
        let others = async {
            let starts = self.pods.iter().map(async |pod| {
                let container = pod.container("app").attempt(round).start().await;
                container.context("start a container with hooks")
            });
            let containers = try_join_all(starts).await?;
            all_started.set(true);
            Ok((containers, begin.elapsed()))
        };
        let bystander = slowest_start(&self.bystander, &all_started);
        let ((containers, starts), bystander) = try_join(others, bystander).await?;

        // Without grace: right after its start, the program may not handle a signal yet, and would outlive it.
        let begin = Instant::now();
        try_join_all(containers.iter().map(|container| container.stop(0))).await?;
        let stops = begin.elapsed();
        try_join_all(containers.into_iter().map(Container::remove)).await?;
        if !is_warm_up {
            self.measured.bystander.push(bystander);
            self.measured.starts.push(starts);
            self.measured.stops.push(stops);
        }
        Ok(())
    }

    pub(crate) fn end(self) {
        self.containerd.remove_silently();
    }
}

/// A poststart and a poststop that take so many seconds.
fn slow_hooks(seconds: u32) -> HookSpec {
    let hook = Hook::new("/bin/sleep")
        .args(["sleep", &seconds.to_string()])
        .timeout(i64::from(seconds) + 30);
    HookSpec::new().poststart(hook.clone()).poststop(hook)
}

/// Creates and starts a container in `pod` again and again, at least once, until `is_over`; the slowest time of all.
async fn slowest_start(pod: &Pod, is_over: &Cell<bool>) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while slowest.is_zero() || !is_over.get() {
        let begin = Instant::now();
        let container = pod.start("app").await.context("start the bystander")?;
        slowest = slowest.max(begin.elapsed());
        container.stop(0).await?;
        container.remove().await?;
    }
    Ok(slowest)
}
