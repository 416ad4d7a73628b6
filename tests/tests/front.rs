//! The front: daemons come and go behind a connection that stays.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::plugin::NAME;
use e2e::{Containerd, Plugin, Version, wait};
use tokio::time::sleep;

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// NRI's own limit, and time for what is not NRI.
const LIMIT: Duration = Duration::from_millis(2500);

async fn started(version: Version, policy: &str) -> Result<(Containerd, Plugin)> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let plugin = containerd
        .plugin()
        .hook_spec(&spec)
        .configuration(&format!("failure_policy = {policy:?}"))
        .start()
        .await?;
    Ok((containerd, plugin))
}

/// Lives of `count` pods, one after the other, each with a container. Returns what was refused.
async fn churn(containerd: &Containerd, name: &str, count: usize) -> Result<Vec<String>> {
    let mut refused = Vec::new();
    for number in 0..count {
        let pod = containerd.pod(&format!("{name}-{number}")).run().await?;
        match pod.start("app").await {
            Ok(container) => {
                container.stop(0).await?;
                let ran = containerd.hooks().ran(container.id())?;
                ensure!(ran == ALL, "{name}-{number}: {ran:?}");
                container.remove().await?;
            }
            Err(error) => refused.push(format!("{name}-{number}: {error:#}")),
        }
        pod.stop().await?;
        pod.remove().await?;
    }
    Ok(refused)
}

/// Awaits that another daemon than `before` has taken over.
async fn await_daemon(plugin: &mut Plugin, before: i32, times: usize) -> Result<()> {
    wait::until("the next daemon", async || {
        let child = plugin.process().child();
        Ok(child.is_ok_and(|pid| pid != before).then_some(()))
    })
    .await?;
    plugin
        .process()
        .log()
        .wait_for("resumed the connection", times)
        .await
}

async fn containers_have_all_hooks_once_and_none_is_refused_while_daemons_are_killed(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let kills = async {
        for times in 1..=8 {
            let before = plugin.process().child()?;
            plugin.process().kill_child()?;
            await_daemon(&mut plugin, before, times).await?;
            sleep(Duration::from_millis(300)).await;
        }
        anyhow::Ok(())
    };
    let (one, two, killed) = tokio::join!(
        churn(&containerd, "one", 12),
        churn(&containerd, "two", 12),
        kills
    );
    killed?;
    let refused = [one?, two?].concat();
    ensure!(refused.is_empty(), "{refused:?}");
    ensure!(containerd.connections(NAME)? == 1);
    ensure!(containerd.ledger().live()?.is_empty());
    Ok(())
}

async fn a_stopped_daemon_refuses_in_time_and_nothing_goes_without_hooks(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let pod = containerd.pod("web").run().await?;
    for round in 0..2 {
        let frozen = plugin.process().freeze_child()?;
        let begin = Instant::now();
        let refusal = pod.container(&format!("late-{round}")).create().await;
        let error = refusal.err().context("it is created")?.to_string();
        ensure!(error.contains("did not answer in time"), "{error}");
        ensure!(begin.elapsed() < 2 * LIMIT, "{:?}", begin.elapsed());
        drop(frozen);
        let next = pod.start(&format!("next-{round}")).await?;
        next.stop(0).await?;
        ensure!(containerd.hooks().ran(next.id())? == ALL);
        next.remove().await?;
    }
    ensure!(containerd.connections(NAME)? == 1);
    wait::until("the ledger to be empty", async || {
        Ok(containerd.ledger().live()?.is_empty().then_some(()))
    })
    .await
}

async fn under_ignore_a_stopped_daemon_lets_containers_go_and_does_not_register_them(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "ignore").await?;
    let pod = containerd.pod("web").run().await?;
    let frozen = plugin.process().freeze_child()?;
    let container = pod.start("late").await?;
    drop(frozen);
    plugin
        .process()
        .log()
        .wait_for("was answered for the plugin", 1)
        .await?;
    ensure!(containerd.ledger().live()?.is_empty());
    container.stop(0).await?;
    ensure!(containerd.hooks().ran(container.id())?.is_empty());
    ensure!(containerd.connections(NAME)? == 1);
    Ok(())
}

async fn a_front_that_is_killed_takes_its_daemon_along_and_the_next_one_registers(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let daemon = plugin.process().child()?;
    plugin.kill().await?;
    wait::until("the daemon to end", async || {
        let stat = fs::read_to_string(format!("/proc/{daemon}/stat")).unwrap_or_default();
        Ok((stat.is_empty() || stat.contains(") Z ")).then_some(()))
    })
    .await?;
    let _plugin = plugin.start_again(&containerd).await?;
    ensure!(churn(&containerd, "web", 1).await?.is_empty());
    Ok(())
}

/// Registering waits for every stop on the node, and everything else on the node for that.
async fn a_daemon_that_is_killed_during_a_long_stop_holds_up_nobody(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let pod = containerd.pod("slow").run().await?;
    let slow = pod
        .container("app")
        .command(["/bin/sleep", "2147483647"])
        .start()
        .await?;
    let begin = Instant::now();
    let stop = async {
        slow.stop(10).await?;
        anyhow::Ok(begin.elapsed())
    };
    let other = async {
        sleep(Duration::from_secs(1)).await;
        let before = plugin.process().child()?;
        plugin.process().kill_child()?;
        await_daemon(&mut plugin, before, 1).await?;
        ensure!(churn(&containerd, "other", 1).await?.is_empty());
        anyhow::Ok(begin.elapsed())
    };
    let (stopped, other) = tokio::join!(stop, other);
    let (stopped, other) = (stopped?, other?);
    ensure!(
        other < stopped,
        "the other pod waited for the stop: {other:?}, {stopped:?}"
    );
    ensure!(stopped > Duration::from_secs(9), "it was stopped at once");
    Ok(())
}

/// Runs each case on the oldest, the usual and the newest containerd.
macro_rules! on_each {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            use e2e::{Runtime, Version};

            #[tokio::test]
            async fn containerd_1_7() -> anyhow::Result<()> {
                super::$case(Version::V1_7).await
            }

            #[tokio::test]
            async fn containerd_2() -> anyhow::Result<()> {
                super::$case(Version::V2_1).await
            }

            #[tokio::test]
            async fn containerd_2_4() -> anyhow::Result<()> {
                let (version, oci) = (Version::V2_4, Version::V2_4.runc());
                if (Runtime { version, oci }).is_there_for(concat!(stringify!($case), "::containerd_2_4")) {
                    super::$case(version).await?;
                }
                Ok(())
            }
        }
    )+};
}

on_each!(
    containers_have_all_hooks_once_and_none_is_refused_while_daemons_are_killed,
    a_stopped_daemon_refuses_in_time_and_nothing_goes_without_hooks,
    under_ignore_a_stopped_daemon_lets_containers_go_and_does_not_register_them,
    a_front_that_is_killed_takes_its_daemon_along_and_the_next_one_registers,
    a_daemon_that_is_killed_during_a_long_stop_holds_up_nobody,
);
