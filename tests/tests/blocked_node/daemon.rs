//! The daemon under test, and what it must do.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::plugin::{ANNOTATION, Plugin, PluginBuilder};
use e2e::{Containerd, Pod, wait};
use nix::sys::signal::Signal;
use tokio::time::timeout;

use crate::cases::Case;
use crate::hanging::Hanging;

/// A namespace whose pods get no default hooks.
pub(crate) const EXCLUDED: &str = "kube-system";

/// How long the daemon may take to end.
const END: Duration = Duration::from_secs(2);

/// Where the daemon's health is asked for.
pub(crate) fn port(containerd: &Containerd) -> PathBuf {
    containerd.node().directory().join("health.sock")
}

pub(crate) fn configuration(containerd: &Containerd) -> String {
    format!(
        "listen = {:?}\nexclude_namespaces = [{EXCLUDED:?}]",
        port(containerd)
    )
}

pub(crate) fn daemon(containerd: &Containerd) -> PluginBuilder<'_> {
    containerd.plugin().configuration(&configuration(containerd))
}

pub(crate) fn is_healthy(containerd: &Containerd) -> Result<()> {
    let mut stream = UnixStream::connect(port(containerd))?;
    stream.set_read_timeout(Some(wait::LIMIT))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// A pod whose containers need what hangs.
pub(crate) async fn needing(containerd: &Containerd) -> Result<Pod> {
    let pod = containerd.pod("web").annotation(ANNOTATION, "picked");
    pod.run().await
}

pub(crate) async fn is_refused(pod: &Pod, name: &str) -> Result<()> {
    match pod.start(name).await {
        Ok(_) => bail!("{name} was created"),
        Err(error) => ensure!(error.to_string().contains("NRI"), "{name}: {error}"),
    }
    Ok(())
}

/// It is created, and its hook has run.
pub(crate) async fn has_its_hook(containerd: &Containerd, pod: &Pod, name: &str) -> Result<()> {
    let container = pod.start(name).await?;
    let ran = containerd.hooks().ran(container.id())?;
    ensure!(ran == ["hook"], "{name}: {ran:?}");
    Ok(())
}

pub(crate) async fn recovers(containerd: &Containerd, pod: &Pod) -> Result<()> {
    wait::until("it to go on", async || Ok(pod.start("after").await.ok())).await?;
    has_its_hook(containerd, pod, "later").await
}

/// Ends it as the service manager does. If it waits for a file system which nothing interrupts, the kernel keeps only
/// its threads.
pub(crate) async fn ends(containerd: &Containerd, mut plugin: Plugin) -> Result<()> {
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
pub(crate) async fn refuses_until_it_answers(
    containerd: &Containerd,
    plugin: Plugin,
    hanging: Hanging,
    case: Case,
) -> Result<()> {
    let pod = needing(containerd).await?;
    let other = containerd.pod("other").namespace(EXCLUDED).run().await?;
    has_its_hook(containerd, &pod, "before").await?;
    hanging.hang()?;
    for name in ["first", "second"] {
        is_refused(&pod, name).await?;
        is_healthy(containerd)?;
    }
    if case != Case::Configuration {
        other.start("needs-none-of-it").await?;
    }
    hanging.answer()?;
    recovers(containerd, &pod).await?;
    hanging.hang()?;
    is_refused(&pod, "last").await?;
    let ended = ends(containerd, plugin).await;
    hanging.answer()?;
    ended
}

/// The same with a daemon that starts while it hangs.
pub(crate) async fn refuses_from_its_start(
    containerd: &Containerd,
    daemon: PluginBuilder<'_>,
    hanging: Hanging,
    case: Case,
) -> Result<()> {
    let pod = needing(containerd).await?;
    hanging.hang()?;
    let plugin = daemon.start().await?;
    is_refused(&pod, "first").await?;
    if case != Case::Configuration {
        let other = containerd.pod("other").namespace(EXCLUDED).run().await?;
        other.start("needs-none-of-it").await?;
        is_healthy(containerd)?;
    }
    hanging.answer()?;
    recovers(containerd, &pod).await?;
    ends(containerd, plugin).await
}

/// The hook of all these tests, and what a hook-spec with it says.
pub(crate) fn hook(containerd: &Containerd) -> Result<(String, String)> {
    containerd.hooks().recorder("hook")?;
    let program = containerd.hooks().program("hook").to_string_lossy().into_owned();
    let spec = format!("{{\"prestart\": [{{\"path\": {program:?}}}]}}");
    Ok((program, spec))
}
