//! The cost of slow hooks of some pods for a pod without hooks on the same node, on a real containerd.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Container, Containerd, Delivery, Hook, HookSpec, Plugin, Pod};
use futures::future::{try_join, try_join_all};

use crate::arguments::Arguments;
use crate::report::{Row, table};
use crate::way::{self, Way};

/// How many rounds there are before the durations count.
const WARM_UP: usize = 1;

/// The hook-spec of the pods with hooks.
const SPEC: &str = "slow";

/// Measures without the daemon, with the peer, the runner and `events`. The containerds take turns, each time in another
/// order.
pub(crate) async fn run(arguments: &Arguments) -> Result<String> {
    let (runner, events) = (Way::Daemon(Delivery::Runner), Way::Daemon(Delivery::Events));
    let peer = arguments.peer;
    let mut subjects = [
        Subject::new(arguments, None).await?,
        Subject::new(arguments, Some(peer)).await?,
        Subject::new(arguments, Some(runner)).await?,
        Subject::new(arguments, Some(events)).await?,
    ];
    for round in 0..arguments.rounds + WARM_UP {
        let mut turns: Vec<&mut Subject> = subjects.iter_mut().collect();
        fastrand::shuffle(&mut turns);
        for subject in turns {
            subject.round(round).await?;
        }
    }
    let table = report(peer, subjects.each_ref().map(|subject| &subject.measured));
    for subject in subjects {
        subject.containerd.remove_silently();
    }
    Ok(table)
}

/// `measured` are without the daemon, by the peer, by runner and by events.
fn report(peer: Way, [none, injected, runner, events]: [&Measured; 4]) -> String {
    type Kind = fn(&Measured) -> &[Duration];
    let kinds: [(&str, Kind); 3] = [
        ("bystander, slowest create+start", |measured| &measured.bystander),
        ("all pods, create+start", |measured| &measured.starts),
        ("all pods, stop", |measured| &measured.stops),
    ];
    let mut rows = Vec::new();
    for (index, (title, durations)) in kinds.into_iter().enumerate() {
        for (names, measured, other) in [
            (["runner", "no daemon"], runner, none),
            (["runner", peer.word()], runner, injected),
            (["events", peer.word()], events, injected),
        ] {
            // Without the daemon no pod has hooks: only the bystander compares with it.
            if index == 0 || !std::ptr::eq(other, none) {
                let durations = [durations(measured), durations(other)];
                rows.push(Row {
                    title,
                    names,
                    durations,
                });
            }
        }
    }
    table(&rows)
}

/// A containerd of its own, with pods that have hooks, and one without.
struct Subject {
    pods: Vec<Pod>,
    bystander: Pod,
    measured: Measured,
    _plugin: Option<Plugin>,
    containerd: Containerd,
}

/// One duration for each round.
#[derive(Default)]
struct Measured {
    /// The slowest create and start of the bystander while the others start.
    bystander: Vec<Duration>,
    /// From the first create to the last start of the others.
    starts: Vec<Duration>,
    /// From the first stop of the others to the last.
    stops: Vec<Duration>,
}

impl Subject {
    /// Hooks come by this `way`; without it, there is no daemon and no hook.
    async fn new(arguments: &Arguments, way: Option<Way>) -> Result<Self> {
        let spec = slow_hooks(arguments.seconds.try_into()?);
        let (containerd, plugin) = way::start(arguments.runtime, way, SPEC, &spec).await?;
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
    async fn round(&mut self, round: usize) -> Result<()> {
        let attempt = round.try_into()?;
        let all_started = Cell::new(false);
        let begin = Instant::now();
        let others = async {
            let starts = self.pods.iter().map(async |pod| {
                let container = pod.container("app").attempt(attempt).start().await;
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
        if round >= WARM_UP {
            self.measured.bystander.push(bystander);
            self.measured.starts.push(starts);
            self.measured.stops.push(stops);
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bystander_alone_is_compared_with_a_node_without_the_daemon() {
        let measured = |seconds| Measured {
            bystander: vec![Duration::from_secs(seconds)],
            starts: vec![Duration::from_secs(2 * seconds)],
            stops: vec![Duration::from_secs(3 * seconds)],
        };
        let [none, direct, runner, events] = [1, 2, 3, 8].map(measured);
        let text = report(Way::Daemon(Delivery::Direct), [&none, &direct, &runner, &events]);
        assert_eq!(text.matches("runner : no daemon").count(), 1, "{text}");
        for (compared, ratio) in [("runner : direct", "1.500"), ("events : direct", "4.000")] {
            let rows = text.lines().filter(|line| line.contains(compared));
            let ratios = rows
                .map(|line| line.split_whitespace().rev().nth(2))
                .collect::<Vec<_>>();
            assert_eq!(ratios, [Some(ratio); 3], "{text}");
        }
    }
}
