//! A ledger that hangs, or cannot be opened.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use containerd_nri::api::{self, PodSandbox};
use containerd_nri_testkit::{ContainerBuilder, Outcome, PluginHandle, PodBuilder};
use e2e::hanging::HangingDirectory;
use e2e::wait;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::daemon::{Case, Daemon, EXCLUDED, create, needs};

/// As the runtime knows it after its creation.
fn marked(pod: &PodSandbox) -> api::Container {
    let mut container = ContainerBuilder::new(pod, "app").build();
    let mark = "nri-oci-hooks.noderesource.dev/given-to".to_owned();
    container.annotations.insert(mark, container.id.clone());
    container
}

/// A container without hooks needs no ledger to start, and is not asked for one.
async fn only_marked_containers_are_kept_from_starting(
    daemon: &Daemon,
    plugin: &mut PluginHandle,
    marked: &api::Container,
) -> Result<()> {
    let pod = needs(Case::Ledger, "web");
    let other = PodBuilder::new("other").namespace(EXCLUDED).build();
    let without = ContainerBuilder::new(&other, "app").build();
    for _ in 0..2 {
        let started = plugin.start_container(&pod, marked).await;
        ensure!(matches!(started, Outcome::Refused(_)), "{started:?}");
        let started = plugin.start_container(&other, &without).await;
        ensure!(matches!(started, Outcome::Answer(())), "{started:?}");
    }
    ensure!(daemon.get("/healthz")?.0 == "200");
    Ok(())
}

#[tokio::test]
async fn with_events_a_ledger_that_hangs_keeps_marked_containers_alone_from_starting() -> Result<()> {
    let lines = "delivery = \"events\"";
    let mut daemon = Daemon::with_lines(Case::Ledger, Case::Ledger.mount()?, lines, |command| command)?;
    let mut plugin = daemon.connected().await?;
    let pod = needs(Case::Ledger, "web");
    let container = ContainerBuilder::new(&pod, "app").build();
    let Outcome::Answer(created) = plugin.create_container(&pod, &container).await else {
        bail!("it is not created");
    };
    let mut container = container;
    let adjust = created.adjust.unwrap_or_default();
    container.annotations.extend(adjust.annotations);
    ensure!(container.annotations == marked(&pod).annotations, "{container:?}");
    daemon.hanging.hang()?;
    only_marked_containers_are_kept_from_starting(&daemon, &mut plugin, &container).await?;
    daemon.ends(plugin).await
}

#[tokio::test]
async fn with_events_a_ledger_that_hangs_at_the_start_keeps_marked_containers_alone_from_starting()
-> Result<()> {
    let hanging = Case::Ledger.mount()?;
    hanging.hang()?;
    let lines = "delivery = \"events\"";
    let mut daemon = Daemon::with_lines(Case::Ledger, hanging, lines, |command| command)?;
    let mut plugin = daemon.connected().await?;
    let marked = marked(&needs(Case::Ledger, "web"));
    only_marked_containers_are_kept_from_starting(&daemon, &mut plugin, &marked).await?;
    daemon.ends(plugin).await
}

/// It is untrusted at first: root alone must be able to write to it.
#[tokio::test]
async fn a_ledger_that_cannot_be_opened_is_opened_when_it_can_be() -> Result<()> {
    let hanging = Case::Ledger.mount()?;
    let state = hanging.path().join("state");
    fs::create_dir(&state)?;
    fs::set_permissions(&state, Permissions::from_mode(0o1777))?;
    let mut daemon = Daemon::start(Case::Ledger, hanging)?;
    let mut plugin = daemon.connected().await?;
    let pod = needs(Case::Ledger, "web");
    let refused = create(&mut plugin, &pod).await?;
    ensure!(refused.is_err(), "{refused:?}");
    fs::set_permissions(&state, Permissions::from_mode(0o700))?;
    let taken = create(&mut plugin, &pod).await?;
    ensure!(taken == Ok(true), "{taken:?}");
    daemon.ends(plugin).await
}

/// A directory that is mounted over another one until this is dropped.
struct Over(PathBuf);

impl Over {
    fn mount(from: &Path, to: PathBuf) -> Result<Over> {
        mount(Some(from), &to, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(Over(to))
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        // It goes with what is mounted below it.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// A suspended file system can still be read. This one does not answer readers either.
#[tokio::test]
async fn a_runtime_that_lists_its_containers_while_the_ledger_hangs_is_answered() -> Result<()> {
    let mut daemon = Daemon::start(Case::Ledger, Case::Ledger.mount()?)?;
    let mut plugin = daemon.connected().await?;
    let pod = needs(Case::Ledger, "web");
    ensure!(create(&mut plugin, &pod).await? == Ok(true), "it has hooks");

    let hanging = HangingDirectory::mount(|_| Vec::new())?;
    let _over = Over::mount(hanging.path(), daemon.hanging.path().join("state/live"))?;
    hanging.hang();
    let mut plugin = daemon.restart_runtime(&pod, marked(&pod)).await?;
    ensure!(hanging.is_waited_for(), "the list is compared with the ledger");
    let refused = create(&mut plugin, &needs(Case::Ledger, "next")).await?;
    ensure!(refused.is_err(), "{refused:?}");
    let other = PodBuilder::new("other").namespace(EXCLUDED).build();
    ensure!(
        create(&mut plugin, &other).await? == Ok(false),
        "it needs none of it"
    );
    ensure!(daemon.get("/healthz")?.0 == "200");

    hanging.answer();
    wait::until("it to go on", async || {
        let after = create(&mut plugin, &needs(Case::Ledger, "after")).await?;
        Ok((after == Ok(true)).then_some(()))
    })
    .await?;
    daemon.ends(plugin).await
}
