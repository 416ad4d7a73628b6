//! Silence is no consent: what a runtime does while the daemon does not answer, and after it.
//!
//! From NRI 0.12.5 on, the runtime goes by the failure policy that the daemon declares. Older runtimes ignore it, and
//! let containers go without hooks as they always have.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::hanging::{File, HangingDirectory};
use e2e::plugin::NAME;
use e2e::{Container, Containerd, Delivery, Plugin, Pod, Version, on_each_containerd, wait};
use nix::sys::signal::Signal;
use tokio::time::timeout;

/// The runtime's error for the request that asked for the container.
const REFUSAL: &str =
    "plugin 10-oci-hooks failed to handle CreateContainer request: context deadline exceeded";

/// The daemon's log of a creation that it read after the deadline. Other requests may have waited beside it, and their
/// lines come in any order.
const MISSED_CREATION: &str = r#""event":"CreateContainer","message":"container late of pod default/web: the daemon did not run while this request may have waited: the runtime may not have its answer""#;

/// How many containers are asked for while the daemon hangs. Each takes NRI's own limit of 2 s.
const WHILE_IT_HANGS: usize = 6;

/// NRI's own limit, and time for what is not NRI.
const LIMIT: Duration = Duration::from_millis(2500);

/// Whether the runtime goes by the failure policy of a plugin.
fn honours(version: Version) -> bool {
    version == Version::V2_4Nri0_12_5
}

async fn started(version: Version, policy: &str) -> Result<(Containerd, Plugin)> {
    started_with(version, policy, Delivery::Runner).await
}

async fn started_with(version: Version, policy: &str, delivery: Delivery) -> Result<(Containerd, Plugin)> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let plugin = containerd
        .plugin()
        .hook_spec(&spec)
        .delivery(delivery.word())
        .configuration(&format!("failure_policy = {policy:?}"))
        .start()
        .await?;
    Ok((containerd, plugin))
}

/// The container, if the runtime created it and not NRI refused it.
async fn created(pod: &Pod, name: &str) -> Result<Option<Container>> {
    match pod.container(name).create().await {
        Ok(container) => Ok(Some(container)),
        Err(error) if error.to_string().contains(REFUSAL) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{name} failed otherwise")),
    }
}

/// Whether a container that was created now is with hooks.
async fn has_hooks(containerd: &Containerd, container: &Container) -> Result<bool> {
    container.start().await?;
    Ok(!containerd.hooks().ran(container.id())?.is_empty())
}

async fn while_the_daemon_hangs_no_container_is_created_without_hooks(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let pod = containerd.pod("web").run().await?;
    ensure!(has_hooks(&containerd, &pod.container("before").create().await?).await?);
    let frozen = plugin.process().freeze()?;
    let mut without = 0;
    for number in 0..WHILE_IT_HANGS {
        if let Some(container) = created(&pod, &format!("app-{number}")).await? {
            without += usize::from(!has_hooks(&containerd, &container).await?);
        }
    }
    drop(frozen);
    // Older runtimes disconnect it at the first, and go on without it.
    ensure!(
        without == if honours(version) { 0 } else { WHILE_IT_HANGS },
        "{without} of {WHILE_IT_HANGS} are without hooks"
    );
    if !honours(version) {
        containerd.await_connection(NAME, 2).await?;
    }
    ensure!(has_hooks(&containerd, &pod.container("after").create().await?).await?);
    ensure!(containerd.connections(NAME)? == if honours(version) { 1 } else { 2 });
    Ok(())
}

async fn one_overdue_answer_leaves_the_connection_and_the_next_container_has_its_hooks(
    version: Version,
) -> Result<()> {
    for policy in ["fail", "ignore"] {
        let (containerd, mut plugin) = started(version, policy).await?;
        let pod = containerd.pod("web").run().await?;
        let frozen = plugin.process().freeze()?;
        // The runtime gives up before.
        let answer = created(&pod, "late").await?;
        ensure!(
            answer.is_none() == (honours(version) && policy == "fail"),
            "{policy}: {answer:?}"
        );
        drop(frozen);
        if honours(version) {
            // The request that it missed is named, with its pod and container.
            let log = plugin.process().log();
            log.wait_for(MISSED_CREATION, 1).await?;
        } else {
            // The runtime has closed the connection, and the request may be lost with it.
            containerd.await_connection(NAME, 2).await?;
            plugin.process().log().wait_for("disconnected", 1).await?;
        }
        let next = pod.container("next").create().await?;
        ensure!(has_hooks(&containerd, &next).await?, "{policy}");
        ensure!(
            containerd.connections(NAME)? == if honours(version) { 1 } else { 2 },
            "{policy}"
        );
        ensure!(plugin.process().is_running()?);
    }
    Ok(())
}

async fn under_ignore_nothing_is_refused_while_the_daemon_hangs(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "ignore").await?;
    let pod = containerd.pod("web").run().await?;
    let frozen = plugin.process().freeze()?;
    for number in 0..3 {
        let container = created(&pod, &format!("app-{number}")).await?;
        let container = container.with_context(|| format!("{number} is refused"))?;
        container.start().await?;
        container.stop(0).await?;
        container.remove().await?;
    }
    drop(frozen);
    Ok(())
}

async fn a_creation_in_the_middle_of_which_the_daemon_dies_is_refused(version: Version) -> Result<()> {
    for policy in ["fail", "ignore"] {
        let containerd = Containerd::start(version).await?;
        containerd.hooks().recorder("hook")?;
        let program = containerd.hooks().program("hook");
        let content = format!("{{\"prestart\": [{{\"path\": {program:?}}}]}}").into();
        let (name, mode) = ("spec.json", 0o644);
        let directory =
            HangingDirectory::mount_in(containerd.node(), |_| vec![File { name, content, mode }])?;
        let mut plugin = containerd
            .plugin()
            .hook_spec(Path::new(&directory.file(name)))
            .configuration(&format!("failure_policy = {policy:?}"))
            .start()
            .await?;
        let pod = containerd.pod("web").run().await?;
        directory.hang();
        let death = async {
            wait::until("it to read the file", async || {
                Ok(directory.is_waited_for().then_some(()))
            })
            .await?;
            // The kernel keeps a process that waits for the file; stopped, it does not answer when it has the file.
            let frozen = plugin.process().freeze()?;
            directory.answer();
            plugin.process().signal(Signal::SIGKILL)?;
            drop(frozen);
            plugin.process().wait().await
        };
        let (creation, death) = tokio::join!(pod.container("app").create(), death);
        let _status = death?;
        match creation {
            Err(error) => {
                ensure!(honours(version) && policy == "fail", "{policy}: {error}");
                let text = "plugin 10-oci-hooks failed to handle CreateContainer request";
                ensure!(error.to_string().contains(text), "{error}");
            }
            Ok(container) => ensure!(
                !honours(version) || policy == "ignore",
                "{} is without hooks",
                container.id()
            ),
        }
    }
    Ok(())
}

/// NRI has one timeout for each event; what is not subscribed costs none.
async fn containers_are_stopped_and_removed_while_the_daemon_hangs(version: Version) -> Result<()> {
    for (policy, delivery) in [
        ("fail", Delivery::Runner),
        ("fail", Delivery::Events),
        ("ignore", Delivery::Runner),
    ] {
        let (containerd, mut plugin) = started_with(version, policy, delivery).await?;
        let pod = containerd.pod("web").run().await?;
        let mut containers = Vec::new();
        for name in ["one", "two"] {
            containers.push(pod.start(name).await?);
        }
        let frozen = plugin.process().freeze()?;
        for container in containers {
            let id = container.id().to_owned();
            timeout(LIMIT, container.stop(0))
                .await
                .context("the stop takes too long")??;
            if delivery == Delivery::Runner {
                let ran = containerd.hooks().ran(&id)?;
                ensure!(ran.last().is_some_and(|last| last == "default-poststop"));
            }
            timeout(LIMIT, container.remove())
                .await
                .context("the removal takes too long")??;
        }
        pod.stop().await?;
        pod.remove().await?;
        drop(frozen);
        let left = containerd.client().containers().await?;
        ensure!(left.is_empty(), "{left:?}");
    }
    Ok(())
}

/// By the file that it leaves: fresh, or marked by the thread that saw it hang.
async fn a_daemon_says_whether_the_one_before_it_hung_was_killed_or_ended(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let heartbeat = async || {
        wait::until("the heartbeat", async || {
            let names = fs::read_dir(containerd.ledger().directory())?.flatten();
            Ok(names
                .map(|name| name.path())
                .find(|path| path.to_string_lossy().contains("/heartbeat-")))
        })
        .await
    };
    heartbeat().await?;
    plugin.process().signal(Signal::SIGTERM)?;
    plugin.process().wait().await?;
    plugin = plugin.start_again(&containerd).await?;
    heartbeat().await?;
    ensure!(plugin.process().log().count("the daemon before this one")? == 0);

    plugin.kill().await?;
    plugin = plugin.start_again(&containerd).await?;
    plugin
        .process()
        .log()
        .wait_for("did not end by itself", 1)
        .await?;

    let file = heartbeat().await?;
    plugin.kill().await?;
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains("\"hung\":false"), "{text}");
    fs::write(&file, text.replace("\"hung\":false", "\"hung\":true"))?;
    plugin = plugin.start_again(&containerd).await?;
    plugin
        .process()
        .log()
        .wait_for("the daemon before this one hung until it was killed", 1)
        .await
}

/// Runs each case on containerds that go by the policy and on those that do not know it.
macro_rules! on_each {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            e2e::on_runtime!($case, containerd_1_7, V1_7, Runc);
            e2e::on_runtime!($case, containerd_2, V2_1, Runc);
            e2e::on_built_runtime!($case, containerd_2_4, V2_4, Runc1_5);
            e2e::on_built_runtime!($case, containerd_2_4_nri_0_12_5, V2_4Nri0_12_5, Runc1_5);
        }
    )+};
}

on_each!(
    while_the_daemon_hangs_no_container_is_created_without_hooks,
    one_overdue_answer_leaves_the_connection_and_the_next_container_has_its_hooks,
    under_ignore_nothing_is_refused_while_the_daemon_hangs,
    a_creation_in_the_middle_of_which_the_daemon_dies_is_refused,
    containers_are_stopped_and_removed_while_the_daemon_hangs,
);

on_each_containerd!(a_daemon_says_whether_the_one_before_it_hung_was_killed_or_ended);
