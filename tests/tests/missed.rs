//! Containers that were created while the daemon was away, and files that are invalid when it comes back.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use e2e::cri::State;
use e2e::plugin::tool;
use e2e::{Container, Containerd, Version, on_each_containerd, wait};
use nri_oci_hooks::observe::{Status, request_status};

/// A label of the pods of a Deployment, which certainly restart.
const OF_DEPLOYMENT: &str = "pod-template-hash";

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

async fn await_status(state: &Path, what: &str, is_it: impl Fn(&Status) -> bool) -> Result<Status> {
    wait::until(what, async || Ok(request_status(state).ok().filter(&is_it))).await
}

/// Whether it is reported, with this word about what is done.
fn reports(status: &Status, container: &Container, then: &str) -> bool {
    let mut found = status.without_hooks.iter();
    found.any(|it| it.id == container.id() && it.then.contains(then))
}

async fn what_was_created_while_the_daemon_was_away_is_reported_until_it_is_gone(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let state = containerd.ledger().directory().to_owned();
    let mut plugin = containerd.plugin().hook_spec(&spec).start().await?;
    let pod = containerd.pod("web").run().await?;
    let hooked = pod.start("hooked").await?;
    plugin.kill().await?;
    let away = pod.start("away").await?;
    let ended = pod.start("ended").await?;

    plugin = plugin.start_again(&containerd).await?;
    let status = await_status(&state, "two to be reported", |status| {
        status.without_hooks.len() == 2
    })
    .await?;
    ensure!(
        reports(&status, &away, "delete its pod") && reports(&status, &ended, ""),
        "{status:?}"
    );
    let listed = tool(&containerd, &["ps", "away"])?;
    ensure!(listed.contains("default/web/away"), "{listed}");
    let log = plugin.process().log().text()?;
    let warnings = log
        .lines()
        .filter(|line| line.contains("without the hooks"))
        .count();
    assert_eq!(warnings, 2, "{log}");

    away.stop(10).await?;
    away.remove().await?;
    ended.stop(10).await?;
    await_status(&state, "none to be reported", |status| {
        status.without_hooks.is_empty()
    })
    .await?;
    hooked.stop(10).await?;
    assert_eq!(containerd.hooks().ran(hooked.id())?, ALL);
    Ok(())
}

async fn a_report_outlives_the_daemon_that_its_front_replaces(version: Version) -> Result<()> {
    for delivery in ["runner", "direct"] {
        let containerd = Containerd::start(version).await?;
        let spec = containerd.hooks().recording_spec("default")?;
        let state = containerd.ledger().directory().to_owned();
        // With direct the daemon does not make it.
        fs::create_dir_all(&state)?;
        let before = containerd.pod("web").run().await?.start("before").await?;
        let plugin = containerd.plugin().hook_spec(&spec).delivery(delivery);
        let mut plugin = plugin.start().await?;
        await_status(&state, "it to be reported", |status| reports(status, &before, "")).await?;

        plugin.process().kill_child()?;
        let log = plugin.process().log().clone();
        log.wait_for("resumed the connection", 1).await?;
        await_status(&state, "the next daemon to report it", |status| {
            reports(status, &before, "")
        })
        .await?;
        before.stop(10).await?;
        before.remove().await?;
        await_status(&state, "none to be reported", |status| {
            status.without_hooks.is_empty()
        })
        .await?;
        assert_eq!(containerd.connections(plugin.name())?, 1, "{delivery}");
    }
    Ok(())
}

async fn the_init_of_what_was_missed_is_ended_once_in_an_hour(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let state = containerd.ledger().directory().to_owned();
    let plugin = containerd.plugin().hook_spec(&spec);
    let mut plugin = plugin
        .configuration("missed.action = \"restart\"")
        .start()
        .await?;
    let pod = containerd.pod("web").label(OF_DEPLOYMENT, "1").run().await?;
    let bare = containerd.pod("bare").run().await?;
    plugin.kill().await?;
    let missed = pod.start("app").await?;
    let kept = bare.start("app").await?;

    plugin = plugin.start_again(&containerd).await?;
    missed.await_state(State::Exited).await?;
    let status = await_status(&state, "the bare pod's to be kept", |status| {
        reports(status, &kept, "not restarted")
    })
    .await?;
    ensure!(!reports(&status, &kept, "last hour"), "{status:?}");

    // As the kubelet does it.
    let second = pod.container("app").attempt(1).create().await?;
    second.start().await?;
    missed.remove().await?;
    second.stop(10).await?;
    assert_eq!(containerd.hooks().ran(second.id())?, ALL);

    plugin.kill().await?;
    let again = pod.container("app").attempt(2).create().await?;
    again.start().await?;
    let _plugin = plugin.start_again(&containerd).await?;
    await_status(&state, "it to be kept", |status| {
        reports(status, &again, "last hour")
    })
    .await?;
    for container in [&again, &kept] {
        assert_eq!(container.status().await?.state, State::Running);
    }
    Ok(())
}

async fn an_invalid_file_takes_no_hooks_away_from_a_daemon_that_comes_back(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let state = containerd.ledger().directory().to_owned();
    let mut plugin = containerd.plugin().hook_spec(&spec).start().await?;
    await_status(&state, "it to be ready", |status| status.not_ready.is_empty()).await?;
    let copies = state.join("last-good");
    wait::until("both files to be kept", async || {
        Ok((fs::read_dir(&copies).map_or(0, Iterator::count) == 2).then_some(()))
    })
    .await?;
    plugin.kill().await?;
    plugin.configure(&containerd, "hook_specs = 1\n")?;
    fs::write(&spec, "{")?;

    let _plugin = plugin.start_again(&containerd).await?;
    let status = await_status(&state, "it to be degraded", |status| status.degraded.len() == 2).await?;
    ensure!(status.not_ready.is_empty(), "{status:?}");
    let container = containerd.pod("web").run().await?.start("app").await?;
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    Ok(())
}

on_each_containerd!(
    what_was_created_while_the_daemon_was_away_is_reported_until_it_is_gone,
    a_report_outlives_the_daemon_that_its_front_replaces,
    the_init_of_what_was_missed_is_ended_once_in_an_hour,
    an_invalid_file_takes_no_hooks_away_from_a_daemon_that_comes_back,
);
