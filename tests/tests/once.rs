//! Each stage of a container runs once, even if processes die and return.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::cri::State;
use e2e::ledger::{Line, Outcome, Stage, StageRecord, Trigger, runner};
use e2e::soak::{self, Plan};
use e2e::{Container, Containerd, Delivery, HookSpec, Runtime, Version, on_each_runtime_and_the_newest};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

async fn every_stage_runs_once_while_plugin_and_runtime_die_and_come_back(runtime: Runtime) -> Result<()> {
    for delivery in Delivery::RUNNER {
        if delivery == Delivery::Events && runtime.version == Version::V1_7 {
            // Before 1.7.26, events in the moment of a plugin's registration are lost, and with them what they
            // would have triggered until the next registration.
            continue;
        }
        let plan = Plan {
            // Over 500 in all, over the runtimes and deliveries.
            lifecycles: 56,
            at_once: 3,
            seed: fastrand::u64(..),
            runtime,
            delivery,
        };
        println!("{plan:?}");
        let tally = soak::run(plan, |line| println!("{line}")).await?;
        println!("{tally}");
        assert!(
            tally.prestart > 0 && tally.plugin_killed > 0,
            "nothing was tested"
        );
        assert!(tally.faults.is_empty());
    }
    Ok(())
}

async fn a_container_made_earlier_keeps_its_hooks_without_the_plugin(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let mut plugin = containerd.deliver(Delivery::Runner, &spec).await?;
    let pod = containerd.pod("web").run().await?;
    let started = pod.start("started").await?;
    let created = pod.container("created").create().await?;
    let brief = pod.container("brief").command(["/bin/true"]).create().await?;
    plugin.kill().await?;

    started.stop(10).await?;
    assert_eq!(containerd.hooks().ran(started.id())?, ALL);
    created.start().await?;
    created.stop(10).await?;
    assert_eq!(containerd.hooks().ran(created.id())?, ALL);

    brief.start().await?;
    brief.await_state(State::Exited).await?;
    assert_eq!(containerd.hooks().ran(brief.id())?, ALL);
    Ok(())
}

async fn a_plugin_that_is_back_runs_pending_hooks(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let stopped = pod.start("stopped").await?;
        let removed = pod.start("removed").await?;
        let running = pod.start("running").await?;
        plugin.kill().await?;
        stopped.stop(10).await?;
        removed.stop(10).await?;
        let removed_id = removed.id().to_owned();
        removed.remove().await?;

        for _ in 0..2 {
            plugin = plugin.start_again(&containerd).await?;
            for id in [stopped.id(), &removed_id] {
                containerd.ledger().await_end(id, Stage::Poststop).await?;
                assert_eq!(containerd.hooks().ran(id)?, ALL, "{delivery:?}");
            }
            assert_eq!(containerd.hooks().ran(running.id())?, ALL[..2], "{delivery:?}");
            plugin.kill().await?;
        }
        plugin = plugin.start_again(&containerd).await?;
        running.stop(10).await?;
        assert_eq!(containerd.hooks().ran(running.id())?, ALL, "{delivery:?}");
        plugin.kill().await?;
    }
    Ok(())
}

async fn after_a_reset_of_the_machine_a_lost_container_gets_its_poststop(runtime: Runtime) -> Result<()> {
    for delivery in Delivery::RUNNER {
        let mut containerd = runtime.start().await?;
        let spec = containerd.hooks().recording_spec("default")?;
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod("web").run().await?;
        let started = pod.start("started").await?;
        let created = pod.container("created").create().await?;

        containerd.reset().await?;
        assert_eq!(started.status().await?.state, State::Exited);
        for _ in 0..2 {
            plugin = plugin.start_again(&containerd).await?;
            containerd
                .ledger()
                .await_end(started.id(), Stage::Poststop)
                .await?;
            assert_eq!(containerd.hooks().ran(started.id())?, ALL, "{delivery:?}");
            assert!(containerd.hooks().ran(created.id())?.is_empty(), "{delivery:?}");
            plugin.kill().await?;
        }
        let record = containerd.ledger().record(started.id(), Stage::Poststop)?;
        assert_eq!(record.as_ref().map(claims), Some(vec![Trigger::Synchronize]));
        let _plugin = plugin.start_again(&containerd).await?;
        let id = started.id().to_owned();
        started.remove().await?;
        assert_eq!(containerd.hooks().ran(&id)?, ALL, "{delivery:?}");
    }
    Ok(())
}

async fn two_instances_give_a_container_its_hooks_once(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    for delivery in Delivery::ALL {
        let plugin = || containerd.plugin().delivery(delivery.word()).hook_spec(&spec);
        let mut old = plugin().start().await?;
        let mut new = plugin().start().await?;
        let mut other = plugin().identity("20", "other").start().await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let three = pod.start("three").await?;
        let handed_over = pod.start("handed-over").await?;
        three.stop(10).await?;
        assert_eq!(containerd.hooks().ran(three.id())?, ALL, "{delivery:?}");

        old.kill().await?;
        handed_over.stop(10).await?;
        assert_eq!(containerd.hooks().ran(handed_over.id())?, ALL, "{delivery:?}");
        new.kill().await?;
        other.kill().await?;
    }
    Ok(())
}

async fn two_daemons_with_other_deliveries_give_a_container_its_hooks_once(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let deliveries = ["direct", "runner", "events"];
    for first in deliveries {
        for second in deliveries.into_iter().filter(|second| *second != first) {
            let case = format!("{first}-{second}");
            let plugin = |delivery| containerd.plugin().delivery(delivery).hook_spec(&spec);
            let mut one = plugin(first).start().await?;
            let mut other = plugin(second).identity("20", "other").start().await?;
            let container = containerd.pod(&case).run().await?.start("app").await?;
            container.stop(10).await?;
            let mut ran = containerd.hooks().ran(container.id())?;
            ran.sort_unstable();
            let mut all = ALL;
            all.sort_unstable();
            assert_eq!(ran, all, "{case}");
            one.kill().await?;
            other.kill().await?;
        }
    }
    Ok(())
}

async fn a_runner_that_is_killed_leaves_its_hook_to_end_and_the_rest_to_the_next(
    runtime: Runtime,
) -> Result<()> {
    let containerd = runtime.start().await?;
    let [begun, go_on] = ["begun", "go-on"].map(|name| containerd.node().directory().join(name));
    let wait = format!(
        "echo $PPID >>{}; until [ -e {} ]; do sleep 0.02; done",
        begun.display(),
        go_on.display()
    );
    let spec = three_poststops(&containerd, "wait", &wait)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;
        let id = container.id().to_owned();
        let murder = async {
            e2e::wait::until("the hook to run", async || line(&begun)).await?;
            let record = containerd.ledger().record(&id, Stage::Poststop)?;
            let runner = record.as_ref().and_then(runner).context("nobody has the claim")?;
            kill(&containerd, &runner.to_string())?;
            fs::write(&go_on, "")?;
            anyhow::Ok(())
        };
        tokio::try_join!(end(container), murder).with_context(|| format!("{delivery:?}"))?;

        let record = containerd.ledger().await_end(&id, Stage::Poststop).await?;
        let success = Outcome::Exited { status: 0 };
        assert_eq!(outcomes(&record), [&success, &success, &success], "{delivery:?}");
        assert_eq!(claims(&record).len(), 2, "{delivery:?}: {record:?}");
        assert_eq!(containerd.hooks().ran(&id)?, ["first", "last"], "{delivery:?}");
        assert_eq!(
            line(&begun)?.map(|text| text.lines().count()),
            Some(1),
            "{delivery:?}: it was run again"
        );
        fs::remove_file(&begun)?;
        fs::remove_file(&go_on)?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_hook_whose_supervisor_is_killed_is_interrupted_and_not_run_again(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let path = containerd.node().directory().join("supervisors");
    let hang = format!("echo $PPID >>{}; exec sleep 1000", path.display());
    let spec = three_poststops(&containerd, "hang", &hang)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;
        let id = container.id().to_owned();
        let murder = async {
            let supervisor = e2e::wait::until("the hook to run", async || line(&path)).await?;
            let record = containerd.ledger().record(&id, Stage::Poststop)?;
            let runner = record.as_ref().and_then(runner).context("nobody has the claim")?;
            kill(&containerd, &format!("{runner} {supervisor}"))
        };
        tokio::try_join!(end(container), murder).with_context(|| format!("{delivery:?}"))?;

        let record = containerd.ledger().await_end(&id, Stage::Poststop).await?;
        let success = Outcome::Exited { status: 0 };
        assert_eq!(
            outcomes(&record),
            [&success, &Outcome::Interrupted, &success],
            "{delivery:?}"
        );
        assert_eq!(containerd.hooks().ran(&id)?, ["first", "last"], "{delivery:?}");
        assert_eq!(
            fs::read_to_string(&path)?.lines().count(),
            1,
            "{delivery:?}: it was run again"
        );
        fs::remove_file(&path)?;
        plugin.kill().await?;
    }
    Ok(())
}

/// Stops and removes a container.
async fn end(container: Container) -> Result<()> {
    container.stop(10).await?;
    Ok(container.remove().await?)
}

/// A spec whose poststop is a recorder, a script and a recorder.
fn three_poststops(containerd: &Containerd, name: &str, script: &str) -> Result<std::path::PathBuf> {
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststop(hooks.recorder("first")?)
        .poststop(hooks.script(name, script)?)
        .poststop(hooks.recorder("last")?);
    hooks.spec("default", &spec)
}

/// The processes that claimed a stage, in order.
fn claims(record: &StageRecord) -> Vec<Trigger> {
    let claims = record.lines.iter().filter_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    });
    claims.collect()
}

fn outcomes(record: &StageRecord) -> Vec<&Outcome> {
    record
        .runs()
        .iter()
        .filter_map(|run| Some(run.ended?.outcome))
        .collect()
}

/// Kills processes of the node, as it counts.
fn kill(containerd: &Containerd, processes: &str) -> Result<()> {
    let script = format!("kill -9 {processes}");
    containerd
        .node()
        .run(Command::new("sh").args(["-c", &script]))
        .map(drop)
}

/// The one line of a file, once it is whole.
fn line(file: &Path) -> Result<Option<String>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    Ok(text.strip_suffix('\n').map(str::to_owned))
}

on_each_runtime_and_the_newest!(
    every_stage_runs_once_while_plugin_and_runtime_die_and_come_back,
    a_container_made_earlier_keeps_its_hooks_without_the_plugin,
    a_plugin_that_is_back_runs_pending_hooks,
    after_a_reset_of_the_machine_a_lost_container_gets_its_poststop,
    two_instances_give_a_container_its_hooks_once,
    two_daemons_with_other_deliveries_give_a_container_its_hooks_once,
    a_runner_that_is_killed_leaves_its_hook_to_end_and_the_rest_to_the_next,
    a_hook_whose_supervisor_is_killed_is_interrupted_and_not_run_again,
);
