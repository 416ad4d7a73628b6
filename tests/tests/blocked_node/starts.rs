//! The same that hangs already when the daemon starts.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Result, ensure};
use e2e::{Containerd, Version, wait};

use crate::cases::Case;
use crate::daemon::{ends, is_healthy, port, refuses_from_its_start};

macro_rules! refuses_at_the_start {
    ($($name:ident, $case:ident;)+) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            let containerd = Containerd::start(Version::V2_1).await?;
            let (daemon, hanging) = Case::$case.set_up(&containerd)?;
            refuses_from_its_start(&containerd, daemon, hanging, Case::$case).await
        }
    )+};
}

refuses_at_the_start! {
    a_default_spec_that_hangs_at_the_start_refuses, DefaultSpec;
    a_selected_spec_that_hangs_at_the_start_refuses, SelectedSpec;
    a_program_that_hangs_at_the_start_refuses, Program;
    a_hooks_d_directory_that_hangs_at_the_start_refuses, HooksD;
    a_configuration_that_hangs_at_the_start_refuses, Configuration;
    a_ledger_that_hangs_at_the_start_refuses, Ledger;
}

#[tokio::test]
async fn after_a_kill_the_next_daemon_answers_although_the_kernel_keeps_the_first_with_its_sockets()
-> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (daemon, hanging) = Case::DefaultSpec.set_up(&containerd)?;
    hanging.hang()?;
    let mut plugin = daemon.start().await?;
    is_healthy(&containerd)?;
    let inode = || fs::metadata(port(&containerd)).map(|socket| socket.ino()).ok();
    let (first, socket) = (plugin.process().child()?, inode());
    plugin.process().kill_child()?;
    wait::until("a socket of the next daemon", async || {
        Ok(inode().is_some_and(|inode| Some(inode) != socket).then_some(()))
    })
    .await?;
    is_healthy(&containerd)?;
    ensure!(fs::exists(format!("/proc/{first}"))?, "nothing has kept it");
    hanging.answer()?;
    ends(&containerd, plugin).await
}
