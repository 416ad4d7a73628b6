//! The daemon as a service: its messages to the service manager, and its unit of systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::node::say_not_tested;
use e2e::plugin::put_program;
use e2e::{Containerd, Version, on_each_containerd, wait, workspace};
use nix::sys::signal::Signal;

/// kubelet is started by it: a container that is created before is one without hooks.
async fn it_is_ready_once_the_runtime_calls_it(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    containerd.stop().await?;
    let socket = containerd.node().directory().join("notify");
    let manager = Manager::listen(&socket)?;
    let mut daemon = containerd
        .plugin()
        .delivery("direct")
        .env("NOTIFY_SOCKET", &socket.to_string_lossy())
        .env("WATCHDOG_USEC", "100000")
        .spawn()?;

    let begin = manager.receive_until("STATUS=no runtime yet at ")?;
    let begin = begin + &manager.receive_until("WATCHDOG=1")? + &manager.receive_until("WATCHDOG=1")?;
    assert!(!begin.contains("READY=1"), "{begin}");
    containerd.restart().await?;
    manager.receive_until("READY=1\nSTATUS=connected to containerd")?;
    containerd.stop().await?;
    manager.receive_until("STATUS=disconnected")?;
    containerd.restart().await?;
    manager.receive_until("READY=1")?;
    daemon.signal(Signal::SIGTERM)?;
    manager.receive_until("STOPPING=1")?;
    assert!(daemon.wait().await?.success());
    Ok(())
}

/// A service manager kills and restarts what falls silent.
async fn a_daemon_that_hangs_falls_silent(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let socket = containerd.node().directory().join("notify");
    let manager = Manager::listen(&socket)?;
    let mut plugin = containerd
        .plugin()
        .delivery("direct")
        .env("NOTIFY_SOCKET", &socket.to_string_lossy())
        .env("WATCHDOG_USEC", "100000")
        .start()
        .await?;
    manager.receive_until("READY=1")?;
    manager.receive_until("WATCHDOG=1")?;
    let frozen = plugin.process().freeze()?;
    manager.await_silence(Duration::from_millis(1000))?;
    drop(frozen);
    manager.receive_until("WATCHDOG=1")?;
    Ok(())
}

/// A service that says it stops is killed if it goes on.
async fn an_upgrade_in_place_is_no_stop(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let socket = containerd.node().directory().join("notify");
    let manager = Manager::listen(&socket)?;
    let program = containerd.node().make_directory("program")?.join("nri-oci-hooks");
    put_program(&program)?;
    let mut plugin = containerd
        .plugin()
        .delivery("direct")
        .program(&program)
        .env("NOTIFY_SOCKET", &socket.to_string_lossy())
        .env("WATCHDOG_USEC", "100000")
        .start()
        .await?;
    manager.receive_until("READY=1")?;
    put_program(&program)?;
    plugin.process().signal(Signal::SIGHUP)?;
    let received = manager.receive_until("READY=1\nSTATUS=connected to containerd")?;
    let log = plugin.process().log().clone();
    log.wait_for("the front has the new release", 1).await?;
    let received = received + &manager.receive_until("WATCHDOG=1")?;
    assert!(!received.contains("STOPPING=1"), "{received}");
    plugin.process().signal(Signal::SIGTERM)?;
    manager.receive_until("STOPPING=1")?;
    assert!(plugin.process().wait().await?.success());
    Ok(())
}

/// The other end of sd_notify(3).
struct Manager(UnixDatagram);

impl Manager {
    fn listen(socket: &Path) -> Result<Manager> {
        let manager = UnixDatagram::bind(socket)?;
        manager.set_read_timeout(Some(wait::LIMIT))?;
        Ok(Manager(manager))
    }

    /// The messages up to the first that contains `text`.
    fn receive_until(&self, text: &str) -> Result<String> {
        let (mut received, begin) = (String::new(), Instant::now());
        while begin.elapsed() < wait::LIMIT {
            let message = self
                .receive()
                .with_context(|| format!("{text:?} was not received"))?;
            received += &message;
            if message.contains(text) {
                return Ok(received);
            }
        }
        bail!("{text:?} was not received, but: {received}");
    }

    fn receive(&self) -> Result<String> {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message)?;
        Ok(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    /// Waits until no message has come for this time.
    fn await_silence(&self, length: Duration) -> Result<()> {
        self.0.set_read_timeout(Some(length))?;
        let begin = Instant::now();
        while self.receive().is_ok() {
            ensure!(begin.elapsed() < wait::LIMIT, "it goes on talking");
        }
        self.0.set_read_timeout(Some(wait::LIMIT))?;
        Ok(())
    }
}

#[test]
fn systemd_understands_every_line_of_the_unit_and_its_drop_in() -> Result<()> {
    let unit = Unit::new()?;
    let Some(verified) = unit.analyze(&["verify", "--man=no"])? else {
        return Ok(());
    };
    assert!(
        verified.status.success() && verified.stderr.is_empty(),
        "{verified:?}"
    );
    fs::write(
        &unit.file,
        fs::read_to_string(&unit.file)? + "\n[Service]\nRestartSecs=1\n",
    )?;
    let spoiled = unit.analyze(&["verify", "--man=no"])?;
    assert!(
        spoiled.is_some_and(|output| !output.stderr.is_empty()),
        "it notices nothing"
    );
    Ok(())
}

/// systemd counts from 0, nothing left to remove, to 10; by its own words up to 2 is "OK" or better.
#[test]
fn a_daemon_that_starts_no_hooks_can_do_next_to_nothing() -> Result<()> {
    let unit = Unit::new()?;
    if let Some(analysis) = unit.analyze(&["security", "--offline=true", "--threshold=15"])? {
        assert!(
            analysis.status.success(),
            "{}",
            String::from_utf8_lossy(&analysis.stdout)
        );
    }
    Ok(())
}

/// The unit with its drop-in for direct delivery, and a program where it says.
struct Unit {
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl Unit {
    fn new() -> Result<Unit> {
        let directory = tempfile::tempdir()?;
        let text = fs::read_to_string(workspace::file("deploy/systemd/nri-oci-hooks.service"))?;
        ensure!(
            text.contains("ExecStart=/usr/bin/nri-oci-hooks run\n"),
            "what does it start?"
        );
        let file = directory.path().join("nri-oci-hooks.service");
        fs::write(&file, text.replace("/usr/bin/nri-oci-hooks", "/bin/true"))?;
        let drop_ins = directory.path().join("nri-oci-hooks.service.d");
        fs::create_dir(&drop_ins)?;
        fs::copy(
            workspace::file("deploy/systemd/direct.conf"),
            drop_ins.join("direct.conf"),
        )?;
        Ok(Unit {
            file,
            _directory: directory,
        })
    }

    /// The result of systemd-analyze about it; `None` if this machine has none.
    fn analyze(&self, arguments: &[&str]) -> Result<Option<Output>> {
        let command = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&self.file)
            .output();
        match command {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                say_not_tested("the unit", "systemd-analyze is missing: install systemd");
                Ok(None)
            }
            output => Ok(Some(output?)),
        }
    }
}

on_each_containerd!(
    it_is_ready_once_the_runtime_calls_it,
    a_daemon_that_hangs_falls_silent,
    an_upgrade_in_place_is_no_stop,
);
