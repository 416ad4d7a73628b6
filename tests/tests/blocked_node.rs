//! On a real containerd, which takes silence for consent: whatever does not answer, no container is created without
//! its hooks.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::frozen::FreezingFolder;
use e2e::hanging::{File, HangingFolder};
use e2e::plugin::{ANNOTATION, Plugin, PluginBuilder};
use e2e::{Containerd, Pod, Version, on_each_containerd, wait};
use nix::sys::signal::Signal;
use tokio::time::timeout;

/// A namespace whose pods get no default hooks.
const EXCLUDED: &str = "kube-system";

/// How long the daemon may take to end.
const END: Duration = Duration::from_secs(2);

/// What hangs.
enum Hanging {
    Answers(HangingFolder),
    TakesWrites(FreezingFolder),
}

impl Hanging {
    fn files(node: &Containerd, files: Vec<File>) -> Result<Hanging> {
        Ok(Hanging::Answers(HangingFolder::mount_in(node.node(), |_| files)?))
    }

    fn frozen(node: &Containerd, path: &Path) -> Result<Hanging> {
        Ok(Hanging::TakesWrites(FreezingFolder::mount_in(node.node(), path)?))
    }

    fn path(&self) -> PathBuf {
        match self {
            Hanging::Answers(folder) => folder.path().into(),
            Hanging::TakesWrites(folder) => folder.mount_point(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn hang(&self) -> Result<()> {
        match self {
            Hanging::Answers(folder) => folder.hang(),
            Hanging::TakesWrites(folder) => folder.freeze()?,
        }
        Ok(())
    }

    fn answer(&self) -> Result<()> {
        match self {
            Hanging::Answers(folder) => folder.answer(),
            Hanging::TakesWrites(folder) => folder.thaw()?,
        }
        Ok(())
    }
}

fn file(name: &'static str, content: impl Into<Vec<u8>>, mode: u16) -> File {
    let content = content.into();
    File { name, content, mode }
}

/// Where the daemon's health is asked for.
fn port(containerd: &Containerd) -> PathBuf {
    containerd.node().folder().join("health.sock")
}

fn configuration(containerd: &Containerd) -> String {
    format!(
        "listen = {:?}\nexclude_namespaces = [{EXCLUDED:?}]",
        port(containerd)
    )
}

fn daemon(containerd: &Containerd) -> PluginBuilder<'_> {
    containerd.plugin().configuration(&configuration(containerd))
}

fn is_healthy(containerd: &Containerd) -> Result<()> {
    let mut stream = UnixStream::connect(port(containerd))?;
    stream.set_read_timeout(Some(wait::LIMIT))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// A pod whose containers need what hangs.
async fn needing(containerd: &Containerd) -> Result<Pod> {
    let pod = containerd.pod("web").annotation(ANNOTATION, "picked");
    pod.run().await
}

async fn is_refused(pod: &Pod, name: &str) -> Result<()> {
    match pod.start(name).await {
        Ok(_) => bail!("{name} was created"),
        Err(error) => ensure!(error.to_string().contains("NRI"), "{name}: {error}"),
    }
    Ok(())
}

/// It is created, and its hook has run.
async fn has_its_hook(containerd: &Containerd, pod: &Pod, name: &str) -> Result<()> {
    let container = pod.start(name).await?;
    let ran = containerd.hooks().ran(container.id())?;
    ensure!(ran == ["hook"], "{name}: {ran:?}");
    Ok(())
}

async fn recovers(containerd: &Containerd, pod: &Pod) -> Result<()> {
    wait::until("it to go on", async || Ok(pod.start("after").await.ok())).await?;
    has_its_hook(containerd, pod, "later").await
}

/// Ends it as the service manager does. Of one that waits for a file system which nothing interrupts, the kernel
/// gives only its threads not back.
async fn ends(containerd: &Containerd, mut plugin: Plugin) -> Result<()> {
    let process = plugin.process();
    let stat = containerd.node().proc(process.pid().into(), "stat");
    let stat = if stat.exists() {
        stat
    } else {
        format!("/proc/{}/stat", process.pid()).into()
    };
    process.signal(Signal::SIGTERM)?;
    let gone = wait::until("it to end", async || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        Ok((stat.is_empty() || stat.contains(") Z ")).then_some(()))
    });
    timeout(END, gone).await.context("it does not end")?
}

/// Before it hangs, while it does, and after.
async fn refuses_until_it_answers(containerd: &Containerd, plugin: Plugin, hanging: Hanging) -> Result<()> {
    let pod = needing(containerd).await?;
    let other = containerd.pod("other").namespace(EXCLUDED).run().await?;
    has_its_hook(containerd, &pod, "before").await?;
    hanging.hang()?;
    for name in ["first", "second"] {
        is_refused(&pod, name).await?;
        is_healthy(containerd)?;
    }
    other.start("needs-none-of-it").await?;
    hanging.answer()?;
    recovers(containerd, &pod).await?;
    hanging.hang()?;
    is_refused(&pod, "last").await?;
    let ended = ends(containerd, plugin).await;
    hanging.answer()?;
    ended
}

/// The same with a daemon that starts while it hangs.
async fn refuses_from_its_start(
    containerd: &Containerd,
    daemon: PluginBuilder<'_>,
    hanging: Hanging,
    needs_nothing_else: bool,
) -> Result<()> {
    let pod = needing(containerd).await?;
    hanging.hang()?;
    let plugin = daemon.start().await?;
    is_refused(&pod, "first").await?;
    if needs_nothing_else {
        let other = containerd.pod("other").namespace(EXCLUDED).run().await?;
        other.start("needs-none-of-it").await?;
        is_healthy(containerd)?;
    }
    hanging.answer()?;
    recovers(containerd, &pod).await?;
    ends(containerd, plugin).await
}

/// The hook of all these tests, and what a hook-spec with it says.
fn hook(containerd: &Containerd) -> Result<(String, String)> {
    containerd.hooks().recorder("hook")?;
    let program = containerd.hooks().program("hook").to_string_lossy().into_owned();
    let spec = format!("{{\"prestart\": [{{\"path\": {program:?}}}]}}");
    Ok((program, spec))
}

async fn a_default_spec_that_hangs_refuses(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let (_, spec) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let hanging = Hanging::files(&containerd, vec![file("spec.json", spec, 0o644)])?;
    let plugin = daemon(&containerd).hook_spec(&hanging.file("spec.json"));
    let plugin = plugin.start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging).await
}

on_each_containerd!(a_default_spec_that_hangs_refuses);

#[tokio::test]
async fn a_default_spec_that_hangs_at_the_start_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let hanging = Hanging::files(&containerd, vec![file("spec.json", spec, 0o644)])?;
    let plugin = daemon(&containerd).hook_spec(&hanging.file("spec.json"));
    refuses_from_its_start(&containerd, plugin, hanging, true).await
}

#[tokio::test]
async fn a_selected_spec_that_hangs_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    let hanging = Hanging::files(&containerd, vec![file("picked.json", spec, 0o644)])?;
    let lines = format!(
        "{}\nannotation.spec_dirs = [{:?}]\n",
        configuration(&containerd),
        hanging.path()
    );
    let config = containerd.node().folder().join("selecting.toml");
    fs::write(&config, lines)?;
    let plugin = containerd.plugin().configuration_file(&config).start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging).await
}

#[tokio::test]
async fn a_program_that_hangs_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (program, _) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    // The recorder writes beside itself.
    let script = format!("#!/bin/sh\nexec {program} \"$@\"\n");
    let hanging = Hanging::files(&containerd, vec![file("hook", script, 0o755)])?;
    let spec = format!("{{\"prestart\": [{{\"path\": {:?}}}]}}", hanging.file("hook"));
    let plugin = daemon(&containerd).hook_spec(&containerd.hooks().raw_spec("default", &spec)?);
    let plugin = plugin.start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging).await
}

#[tokio::test]
async fn a_hooks_d_folder_that_hangs_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (program, _) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let text = format!(
        "{{\"version\": \"1.0.0\", \"hook\": {{\"path\": {program:?}}}, \"when\": {{\"always\": true}}, \
         \"stages\": [\"prestart\"]}}"
    );
    let hanging = Hanging::files(&containerd, vec![file("a.json", text, 0o644)])?;
    let lines = format!("hooks_dirs = [{:?}]", hanging.path());
    let plugin = daemon(&containerd).configuration(&lines).start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging).await
}

#[tokio::test]
async fn a_configuration_that_hangs_at_the_start_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let lines = format!(
        "{}\nannotation.spec_dirs = [{:?}]\n",
        configuration(&containerd),
        containerd.hooks().spec_folder()
    );
    let hanging = Hanging::files(&containerd, vec![file("config.toml", lines, 0o644)])?;
    let file = hanging.file("config.toml");
    let plugin = containerd.plugin().configuration_file(&file).hook_spec(&spec);
    refuses_from_its_start(&containerd, plugin, hanging, false).await
}

#[tokio::test]
async fn a_ledger_that_hangs_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let hanging = Hanging::frozen(&containerd, containerd.ledger().folder())?;
    let plugin = daemon(&containerd).hook_spec(&spec).start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging).await
}

#[tokio::test]
async fn a_ledger_that_hangs_at_the_start_refuses() -> Result<()> {
    let containerd = Containerd::start(Version::V2_1).await?;
    let (_, spec) = hook(&containerd)?;
    containerd.hooks().raw_spec("picked", "{}")?;
    let spec = containerd.hooks().raw_spec("default", &spec)?;
    let hanging = Hanging::frozen(&containerd, containerd.ledger().folder())?;
    let plugin = daemon(&containerd).hook_spec(&spec);
    refuses_from_its_start(&containerd, plugin, hanging, true).await
}

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
    let here = containerd.node().folder().join("journal");
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
    let pipe = containerd.node().folder().join("stderr");
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
    let hanging = Hanging::frozen(&containerd, &containerd.node().make_folder("logs-of-it")?)?;
    let log = hanging.file("log").to_string_lossy().into_owned();
    let plugin = daemon(&containerd).hook_spec(&spec);
    let plugin = plugin.argument("--log-to").argument(&log).start().await?;
    hanging.hang()?;
    let decided = decides_without_its_log(&containerd, plugin).await;
    hanging.answer()?;
    decided
}
