//! A process inside a node, and the log it writes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A process that runs inside a node. It ends with the node at the latest.
#[derive(Debug)]
pub struct Process {
    entrance: Child,
    pid: i32,
    log: Log,
}

impl Process {
    /// Starts `entrance`, an `nsenter` command, and finds the process that it forks into the node.
    pub(super) fn spawn(name: &str, mut entrance: Command, logs: &Path) -> Result<Process> {
        let log = Log {
            path: logs.join(name),
        };
        let file = File::options().create(true).append(true).open(&log.path)?;
        let mut entrance = entrance
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let parent = entrance.id().try_into()?;
        loop {
            if let Some(pid) = only_child(parent)? {
                return Ok(Process { entrance, pid, log });
            }
            let ended = entrance.try_wait()?;
            ensure!(
                ended.is_none(),
                "{name} ended at once with {ended:?}: {}",
                log.text()?
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its process id as the machine (not the node) counts.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its output.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// The kernel reports nothing.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.entrance.try_wait()?.is_none())
    }

    /// Sends it `signal`; nothing if it has ended.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.is_running()? {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            // It has ended, and its entrance has not yet.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            sent => sent.with_context(|| format!("send {signal} to {}", self.pid)),
        }
    }

    /// The process that it has started and keeps, as the machine counts: of an `nri-oci-hooks run` the daemon, whose
    /// connection it holds itself.
    ///
    /// # Errors
    /// It has none.
    pub fn child(&self) -> Result<i32> {
        only_child(self.pid)?.with_context(|| format!("process {} has no child", self.pid))
    }

    /// Stops it and its child in the midst of what they do, as ones that hang, until the guard is dropped.
    ///
    /// # Errors
    /// It has ended.
    pub fn freeze(&mut self) -> Result<Frozen> {
        let entrance = Pid::from_raw(self.entrance.id().try_into()?);
        let mut frozen = vec![entrance];
        self.signal(Signal::SIGSTOP)?;
        if let Some(child) = only_child(self.pid)? {
            let child = Pid::from_raw(child);
            kill(child, Signal::SIGSTOP)?;
            frozen.insert(0, child);
        }
        let frozen = Frozen(frozen);
        // Otherwise it would stop itself for good, after it was continued.
        await_stop(entrance.as_raw())?;
        Ok(frozen)
    }

    /// Stops its child alone.
    ///
    /// # Errors
    /// It has none.
    pub fn freeze_child(&self) -> Result<Frozen> {
        let child = Pid::from_raw(self.child()?);
        kill(child, Signal::SIGSTOP)?;
        Ok(Frozen(vec![child]))
    }

    /// Kills its child.
    ///
    /// # Errors
    /// It has none.
    pub fn kill_child(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child()?), Signal::SIGKILL)?)
    }

    /// Awaits its end.
    ///
    /// # Errors
    /// It goes on for longer than [`wait::LIMIT`].
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        wait::until("a process to end", async || Ok(self.entrance.try_wait()?)).await
    }

    /// Kills it and awaits its end, and that of the child which ends with it: the next one could meet that otherwise.
    ///
    /// # Errors
    /// As [`Process::signal`] and [`Process::wait`].
    pub async fn kill(&mut self) -> Result<()> {
        let child = only_child(self.pid).ok().flatten();
        self.signal(Signal::SIGKILL)?;
        self.wait().await?;
        let Some(child) = child else { return Ok(()) };
        wait::until("its child to end", async || {
            Ok(matches!(state(child), None | Some('Z')).then_some(()))
        })
        .await
    }
}

/// Processes that do not run. Dropping it lets them run again.
#[derive(Debug)]
#[must_use = "they run again at once otherwise"]
pub struct Frozen(Vec<Pid>);

impl Drop for Frozen {
    fn drop(&mut self) {
        // nsenter stops with its child, and takes that along when it goes on. A node with a stopped one would never
        // end, as nobody would wait for the child.
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// The output of the processes of one name so far.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// All of it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn text(&self) -> Result<String> {
        let bytes = fs::read(&self.path).with_context(|| format!("read {}", self.path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How many of its lines contain `text`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn count(&self, text: &str) -> Result<usize> {
        Ok(self.text()?.lines().filter(|line| line.contains(text)).count())
    }

    /// Awaits the `times`-th line that contains `text`.
    ///
    /// # Errors
    /// There is none within [`wait::LIMIT`].
    pub async fn wait_for(&self, text: &str, times: usize) -> Result<()> {
        let what = format!("line {times} with {text:?} in {}", self.path.display());
        wait::until(&what, async || Ok((self.count(text)? >= times).then_some(()))).await
    }
}

/// Awaits that a process that stops with its child has done so, or has ended with it.
fn await_stop(pid: i32) -> Result<()> {
    let begin = Instant::now();
    while !matches!(state(pid), None | Some('T' | 'Z')) {
        ensure!(begin.elapsed() < wait::LIMIT, "process {pid} does not stop");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The letter that the kernel has for the state of a process; `None` if there is no such process.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The child of a process that has one at most.
pub(super) fn only_child(parent: i32) -> Result<Option<i32>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    children
        .split_whitespace()
        .next()
        .map(|pid| pid.parse().context(path.clone()))
        .transpose()
}
