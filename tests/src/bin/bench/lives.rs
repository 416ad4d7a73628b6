//! The lives of containers with a hook at each stage, timed call by call on a real containerd.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, Hook, HookSpec, Plugin, Pod, Runtime};

use crate::arguments::Arguments;
use crate::report::{Row, table};
use crate::way::{self, Way};

/// How many containers live before the times count.
const WARM_UP: usize = 5;

/// The lives whose processor time is one sample: the kernel counts it in hundredths of a second.
const LIVES_OF_SAMPLE: usize = 10;

/// The hook-spec with a hook at each stage.
const SPEC: &str = "all";

/// The program of each hook: it reads the state that it gets, and does nothing else. crun is killed by SIGPIPE if it
/// starts a hook itself that ends before it has written the state.
const HOOK: [&str; 3] = ["/bin/dd", "of=/dev/null", "status=none"];

/// Measures without the daemon, with a daemon and no hooks, with the peer's hooks and with the runner's. The
/// containerds take turns, each time in another order, so that work that each defers affects the others alike.
pub(crate) async fn run(arguments: &Arguments) -> Result<String> {
    let (runtime, peer, runner) = (arguments.runtime, arguments.peer, Way::Daemon(Delivery::Runner));
    let mut subjects = [
        Subject::new(runtime, None, false).await?,
        Subject::new(runtime, Some(runner), false).await?,
        Subject::new(runtime, Some(peer), true).await?,
        Subject::new(runtime, Some(runner), true).await?,
    ];
    for attempt in 0..arguments.starts + WARM_UP {
        let mut turns: Vec<&mut Subject> = subjects.iter_mut().collect();
        fastrand::shuffle(&mut turns);
        for subject in turns {
            subject.live(attempt).await?;
        }
    }
    let [no_daemon, no_hooks, injected, run] = subjects.each_ref().map(|subject| &subject.measured);
    let with_hooks = |title, durations: fn(&Measured) -> &[Duration]| Row {
        title,
        names: [runner.word(), peer.word()],
        durations: [durations(run), durations(injected)],
    };
    let table = table(&[
        with_hooks("create+start, 1+1+1 hooks", |measured| {
            &measured.creates_and_starts
        }),
        with_hooks("stop, 1+1+1 hooks", |measured| &measured.stops),
        with_hooks("remove, 1+1+1 hooks", |measured| &measured.removes),
        with_hooks("CPU of 10 lives, 1+1+1 hooks", |measured| {
            &measured.processor_times
        }),
        Row {
            title: "create+start, no hook",
            names: ["daemon", "no daemon"],
            durations: [&no_hooks.creates_and_starts, &no_daemon.creates_and_starts],
        },
    ]);
    for subject in subjects {
        subject.containerd.remove_silently();
    }
    Ok(table)
}

/// A containerd of its own, and a pod.
struct Subject {
    pod: Pod,
    measured: Measured,
    /// The processor time of the node when the last sample ended.
    processor_time: Option<Duration>,
    _plugin: Option<Plugin>,
    containerd: Containerd,
}

/// How long the calls took.
#[derive(Default)]
struct Measured {
    creates_and_starts: Vec<Duration>,
    stops: Vec<Duration>,
    removes: Vec<Duration>,
    /// Processor time of the node for [`LIVES_OF_SAMPLE`] lives, with what is done behind them.
    processor_times: Vec<Duration>,
}

impl Subject {
    /// A node whose pod selects the hooks if it has any.
    async fn new(runtime: Runtime, way: Option<Way>, has_hooks: bool) -> Result<Self> {
        let hook = Hook::new(HOOK[0]).args(HOOK).timeout(5);
        let spec = HookSpec::new()
            .prestart(hook.clone())
            .poststart(hook.clone())
            .poststop(hook);
        let (containerd, plugin) = way::start(runtime, way, SPEC, &spec).await?;
        let mut pod = containerd.pod("bench");
        if has_hooks {
            pod = pod.annotation(ANNOTATION, SPEC);
        }
        Ok(Self {
            pod: pod.run().await?,
            measured: Measured::default(),
            processor_time: None,
            _plugin: plugin,
            containerd,
        })
    }

    /// Has one container live; the times count unless this is to warm up.
    async fn live(&mut self, attempt: usize) -> Result<()> {
        let number = attempt.checked_sub(WARM_UP);
        if number.is_some_and(|number| number % LIVES_OF_SAMPLE == 0) {
            let now = self.containerd.node().processor_time()?;
            let before = self.processor_time.replace(now);
            let used = before.map(|before| now.saturating_sub(before));
            self.measured.processor_times.extend(used);
        }
        let begin = Instant::now();
        let container = self.pod.container("app").attempt(attempt.try_into()?);
        let container = container.start().await.context("start a container")?;
        let create_and_start = begin.elapsed();
        let begin = Instant::now();
        // Without grace: right after its start, the program may not handle a signal yet, and would outlive it.
        container.stop(0).await.context("stop a container")?;
        let stop = begin.elapsed();
        let begin = Instant::now();
        container.remove().await.context("remove a container")?;
        let remove = begin.elapsed();
        if number.is_some() {
            self.measured.creates_and_starts.push(create_and_start);
            self.measured.stops.push(stop);
            self.measured.removes.push(remove);
        }
        Ok(())
    }
}
