//! The limits of a hook: its time, its processes, its output. A list is never cut short.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::hooks::record;
use e2e::ledger::{HookEnd, Outcome, Stage, StageRecord, StageResult};
use e2e::{
    Containerd, Delivery, HookSpec, Runtime, Version, on_each_containerd_and_the_newest,
    on_each_runtime_and_the_newest,
};

/// In the environment of hooks whose processes are looked for.
const MARK: &str = "MARK=of-the-hook";

/// No hook survives this by intent: a descendant in a session of its own, which ignores signals and holds every pipe,
/// of a hook that does the same.
const STUBBORN: &str = "trap '' HUP INT QUIT PIPE TERM
    (setsid sh -c 'while :; do sleep 1000; done' &)
    while :; do sleep 1000; done";

async fn at_its_timeout_a_hook_ends_with_everything_it_started(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststart(hooks.script("stubborn", STUBBORN)?.env([PATH, MARK]).timeout(1))
        .poststart(hooks.recorder("poststart-2")?);
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;
        let id = container.id();

        let start = async { Ok(container.start().await?) };
        let seen = async {
            // Two shells, each with its sleep.
            e2e::wait::until("the hook's four processes", async || {
                Ok((containerd.node().processes_with(MARK)?.len() == 4).then_some(()))
            })
            .await
        };
        tokio::try_join!(start, seen).with_context(|| format!("{delivery:?}"))?;

        let record = containerd.ledger().await_end(id, Stage::Poststart).await?;
        assert_eq!(containerd.node().processes_with(MARK)?, [0; 0], "{delivery:?}");
        let (took, end) = run(&record, 0)?;
        assert_eq!(end.outcome, &Outcome::TimedOut { seconds: 1, left: 0 });
        assert!(took >= Duration::from_secs(1), "{delivery:?}: {took:?}");
        assert_eq!(hooks.ran(id)?, ["poststart-2"], "{delivery:?}");
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_hook_that_leaves_a_daemon_behind_is_done_when_it_exits(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let daemon = "trap '' HUP PIPE; setsid sh -c 'while :; do sleep 1000; done' & echo left behind";
    let spec = HookSpec::new().prestart(hooks.script("daemon", daemon)?.env([PATH, MARK]));
    let spec = hooks.spec("default", &spec)?;
    let mut daemons = 0;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;
        let id = container.id().to_owned();
        let still_there = async || {
            let what = "the daemon, with its sleep, beside those of earlier containers";
            e2e::wait::until(what, async || {
                Ok((containerd.node().processes_with(MARK)?.len() == daemons + 2).then_some(()))
            })
            .await
        };

        still_there().await.with_context(|| format!("{delivery:?}"))?;
        let record = containerd.ledger().await_end(&id, Stage::Prestart).await?;
        let (_, end) = run(&record, 0)?;
        assert_eq!(end.outcome, &Outcome::Exited { status: 0 });
        assert_eq!(end.stdout.head, "left behind\n");
        container.stop(10).await?;
        container.remove().await?;
        still_there().await?;
        daemons += 2;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_poststop_list_completes_although_the_runtime_gives_up(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let names: Vec<String> = (1..=12).map(|number| format!("poststop-{number}")).collect();
    let mut spec = HookSpec::new();
    for name in &names {
        spec = spec.poststop(hooks.recorder(name)?.env([&format!("{}=1000", record::HOLD)]));
    }
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;
        let id = container.id();

        // containerd may give up on the stop: the kubelet asks again, and so does this.
        e2e::wait::until("the container to be stopped", async || {
            Ok(container.stop(10).await.ok())
        })
        .await?;
        let record = containerd.ledger().await_end(id, Stage::Poststop).await?;
        assert_eq!(hooks.ran(id)?, names, "{delivery:?}: {record:?}");
        assert_eq!(record.finished(), Some(&StageResult::Done), "{delivery:?}");
        container.remove().await?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn output_without_end_is_kept_with_its_head_and_its_tail(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let peak = containerd.node().directory().join("peak");
    let talk = format!(
        "echo the first line; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo the last line
        grep VmHWM: /proc/$PPID/status >{}",
        peak.display()
    );
    let spec = HookSpec::new().prestart(hooks.script("talk", &talk)?.env([PATH]));
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;

        let record = containerd
            .ledger()
            .await_end(container.id(), Stage::Prestart)
            .await?;
        let (_, end) = run(&record, 0)?;
        assert_eq!(end.outcome, &Outcome::Exited { status: 0 });
        let output = end.stdout;
        assert!(output.head.starts_with("the first line\nxxx"), "{delivery:?}");
        assert!(output.tail.ends_with("xxx\nthe last line\n"), "{delivery:?}");
        let kept = u64::try_from(output.head.len() + output.tail.len())?;
        let written = "the first line\n".len() + 100_000_000 + "\nthe last line\n".len();
        assert_eq!(kept + output.omitted, u64::try_from(written)?, "{delivery:?}");
        let kilobytes = kilobytes(&fs::read_to_string(&peak)?)?;
        ensure!(
            kilobytes < 16 * 1024,
            "{delivery:?}: the runner had {kilobytes} kB"
        );
        plugin.kill().await?;
    }
    Ok(())
}

/// Where scripts find their commands.
const PATH: &str = "PATH=/usr/bin:/bin";

/// How long hook `index` of a stage took, and how it ended.
fn run(record: &StageRecord, index: usize) -> Result<(Duration, HookEnd<'_>)> {
    let runs = record.runs();
    let run = runs
        .get(index)
        .with_context(|| format!("hook {index} did not run"))?;
    let end = run.ended.with_context(|| format!("hook {index} did not end"))?;
    Ok((end.at.since(run.began), end))
}

/// The number of a line like `VmHWM:  1234 kB`.
fn kilobytes(line: &str) -> Result<u64> {
    let number = line.split_whitespace().nth(1).context("no number")?;
    Ok(number.parse()?)
}

on_each_runtime_and_the_newest!(
    at_its_timeout_a_hook_ends_with_everything_it_started,
    a_hook_that_leaves_a_daemon_behind_is_done_when_it_exits,
    a_poststop_list_completes_although_the_runtime_gives_up,
);

on_each_containerd_and_the_newest!(output_without_end_is_kept_with_its_head_and_its_tail);
