//! Logs that cannot be written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use anyhow::Result;
use e2e::plugin::{ANNOTATION, Plugin};
use e2e::{Containerd, Version};

use crate::daemon::{daemon, ends, has_its_hook, hook, is_healthy, is_refused};
use crate::hanging::Hanging;

/// Bad containers cause log lines; whether they can be written or not, every container gets its answer.
async fn decides_without_its_log(containerd: &Containerd, plugin: Plugin) -> Result<()> {
    let bad = containerd.pod("bad").annotation(ANNOTATION, "none").run().await?;
    let good = containerd.pod("good").run().await?;
    for number in 0..3 {
        is_refused(&bad, &format!("bad-{number}")).await?;
        has_its_hook(containerd, &good, &format!("good-{number}")).await?;
        is_healthy(containerd)?;
    }
    ends(containerd, plugin).await
}

#[tokio::test]
async fn a_journald_that_does_not_read_holds_no_container_up() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let here = containerd.node().directory().join("journal");
    let journal = UnixDatagram::bind(&here)?;
    let script = format!(
        "mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && \
         mount --bind {} /run/systemd/journal/socket",
        here.display()
    );
    containerd.node().run(Command::new("sh").args(["-c", &script]))?;
    let filling = UnixDatagram::unbound()?;
    filling.set_nonblocking(true)?;
    while filling.send_to(b"MESSAGE=x\n", &here).is_ok() {}
    let plugin = daemon(&containerd).hook_spec(&spec);
    let plugin = plugin.argument("--log-to").argument("journald").start().await?;
    decides_without_its_log(&containerd, plugin).await?;
    drop(journal);
    Ok(())
}

#[tokio::test]
async fn a_stderr_that_nobody_reads_holds_no_container_up() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let pipe = containerd.node().directory().join("stderr");
    containerd.node().run(Command::new("mkfifo").arg(&pipe))?;
    let mut options = fs::OpenOptions::new();
    let mut both_ends = options
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(&pipe)?;
    while both_ends.write(&[b'x'; 4096]).is_ok() {}
    let (name, command) = daemon(&containerd).hook_spec(&spec).command()?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "pipe=$1 && shift && exec \"$@\" 2>\"$pipe\"", "sh"])
        .arg(&pipe);
    shell.arg(command.get_program()).args(command.get_args());
    let plugin = Plugin::start(&containerd, &name, shell).await?;
    decides_without_its_log(&containerd, plugin).await?;
    drop(both_ends);
    Ok(())
}

#[tokio::test]
async fn a_log_file_that_takes_no_writes_holds_no_container_up() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let hanging = Hanging::frozen(&containerd, &containerd.node().make_directory("logs-of-it")?)?;
    let log = hanging.file("log").to_string_lossy().into_owned();
    let plugin = daemon(&containerd).hook_spec(&spec);
    let plugin = plugin.argument("--log-to").argument(&log).start().await?;
    hanging.hang()?;
    let decided = decides_without_its_log(&containerd, plugin).await;
    hanging.answer()?;
    decided
}
