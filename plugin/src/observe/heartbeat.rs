//! A file that each daemon refreshes while it runs, from which the next one sees how it ended.
//!
//! A daemon that ends removes its file. One that is killed leaves it: fresh if it ran until then, stale or
//! marked as hung if not. A thread of its own writes it, so that the disk never delays the thread that
//! answers the runtime.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

use super::endpoint::has_state_directory;
use crate::config::Config;
use crate::ledger::BootId;
use crate::model::{Timestamp, escaped_path};

const PREFIX: &str = "heartbeat-";

/// The minimum interval between writes of the file.
const WRITE_INTERVAL: Duration = Duration::from_secs(2);

/// The time without a beat after which the daemon counts as hung. Its service manager or probe waits longer;
/// see `WatchdogSec` of the unit and the liveness probe.
const SILENCE: Duration = Duration::from_secs(5);

/// The minimum age of the last sign of life of a hung daemon when the next one starts: its service manager or probe
/// has waited longer. After a crash, the age is at most the interval between two writes, and the delay of the restart.
const STALE: Duration = Duration::from_secs(8);

/// The maximum time that the end of the daemon waits for the removal of its file.
const REMOVAL_TIMEOUT: Duration = Duration::from_millis(100);

/// More than the length of a valid file, in bytes.
const MAX_LENGTH: u64 = 4096;

/// The length of a sign of life in the file, so that each overwrites the whole of the last in one call.
const LENGTH: usize = 256;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sign {
    pid: u32,
    boot: BootId,
    /// The last sign of life.
    alive: Timestamp,
    /// Whether the next sign did not come in time.
    hung: bool,
}

/// How an earlier daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    /// It was killed while it ran.
    Killed,
    /// It had given no sign of life.
    Hung,
    /// It had given none for so long before this daemon began, which may have been started later than usual.
    Stale(Duration),
}

/// The file of this daemon. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Heartbeat {
    directory: PathBuf,
    beats: Option<SyncSender<()>>,
    removed: Receiver<()>,
}

impl Heartbeat {
    /// Reports how earlier daemons with the same state directory ended, and creates a file for this one,
    /// which began at `since`. Returns at once; no path is accessed before.
    pub(super) fn start(config: &Config, since: Timestamp) -> Option<Heartbeat> {
        let directory = PathBuf::from(&*config.state_dir);
        let (sender, beats) = sync_channel(1);
        let (done, removed) = sync_channel(1);
        let (config, place) = (config.clone(), directory.clone());
        let run = move || {
            if awaits_directory(&config, &beats) {
                report_earlier(&place, since);
                if let Err(error) = refresh(&place, &beats, SILENCE) {
                    let directory = escaped_path(&place);
                    tracing::warn!(%error, directory, "cannot write the heartbeat: the next daemon cannot know whether this one hung");
                }
            }
            let _ = done.send(());
        };
        let thread = thread::Builder::new().name("heartbeat".into());
        thread
            .stack_size(128 * 1024)
            .spawn(run)
            .inspect_err(|error| tracing::warn!(%error, "cannot start the thread of the heartbeat"))
            .ok()?;
        Some(Heartbeat {
            directory,
            beats: Some(sender),
            removed,
        })
    }

    /// The directory of the file.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The daemon is alive. Never waits.
    pub(super) fn beat(&self) {
        if let Some(beats) = &self.beats {
            // A thread that waits for its disk needs no beat.
            let _ = beats.try_send(());
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.beats = None;
        let _ = self.removed.recv_timeout(REMOVAL_TIMEOUT);
    }
}

/// Waits until the file system of the state directory answers, and returns whether the directory exists.
/// Returns false if there can be no further beat before.
fn awaits_directory(config: &Config, beats: &Receiver<()>) -> bool {
    loop {
        match has_state_directory(config) {
            Ok(is_there) => return is_there,
            Err(_) if beats.recv_timeout(SILENCE) == Err(RecvTimeoutError::Disconnected) => return false,
            Err(_) => {}
        }
    }
}

/// Refreshes a file until there can be no further beat; a daemon without one for `silence` counts as hung.
fn refresh(directory: &Path, beats: &Receiver<()>, silence: Duration) -> io::Result<()> {
    let mut sign = Sign {
        pid: std::process::id(),
        boot: BootId::current().map_err(io::Error::other)?,
        alive: Timestamp::now(),
        hung: false,
    };
    let name = format!("{}-{}", sign.alive.unix_nanos(), sign.pid);
    // It gets its final name after it is locked: a file without a lock belongs to a daemon that has ended.
    let (new, path) = (
        directory.join(format!("new-{name}")),
        directory.join(format!("{PREFIX}{name}")),
    );
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&new)?;
    let refreshed = sign
        .write(&file)
        .and_then(|()| file.try_lock().map_err(io::Error::from))
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| sign.refresh(&file, beats, silence));
    let _ = fs::remove_file(&new);
    let _ = fs::remove_file(&path);
    refreshed
}

impl Sign {
    fn refresh(&mut self, file: &File, beats: &Receiver<()>, silence: Duration) -> io::Result<()> {
        let mut written = Instant::now();
        loop {
            match beats.recv_timeout(silence) {
                Ok(()) if !self.hung && written.elapsed() < WRITE_INTERVAL => continue,
                Ok(()) => (self.alive, self.hung) = (Timestamp::now(), false),
                Err(RecvTimeoutError::Timeout) if self.hung => continue,
                Err(RecvTimeoutError::Timeout) => {
                    self.hung = true;
                    let since = self.alive.to_the_millisecond();
                    tracing::error!(%since, "the thread that answers the runtime hangs");
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.write(file)?;
            written = Instant::now();
        }
    }

    fn write(&self, file: &File) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.resize(LENGTH.max(text.len()), b' ');
        file.write_all_at(&text, 0)
    }

    /// How the daemon of this file ended, as seen by one that began at `next`; `None` if the node was
    /// restarted.
    fn ending(&self, boot: &BootId, next: Timestamp) -> Option<Ending> {
        let age = next.since(self.alive);
        match self.hung {
            _ if self.boot != *boot => None,
            true => Some(Ending::Hung),
            false if age >= STALE => Some(Ending::Stale(age)),
            false => Some(Ending::Killed),
        }
    }
}

/// Logs how the daemons of leftover files ended, and removes the files.
fn report_earlier(directory: &Path, since: Timestamp) {
    let Ok(boot) = BootId::current() else {
        return;
    };
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = names.filter(|name| name.file_name().to_string_lossy().starts_with(PREFIX));
    for path in ours.map(|name| name.path()) {
        let Some(sign) = read_if_ended(&path) else {
            continue;
        };
        let (pid, last_sign) = (sign.pid, sign.alive.to_the_millisecond());
        match sign.ending(&boot, since) {
            Some(Ending::Hung) => {
                tracing::warn!(pid, %last_sign, "the daemon before this one hung until it was killed");
            }
            Some(Ending::Stale(age)) => {
                let seconds = age.as_secs();
                tracing::warn!(pid, %last_sign, seconds, "the daemon before this one hung until it was killed, or was replaced only some time after its end");
            }
            Some(Ending::Killed) => {
                tracing::warn!(pid, %last_sign, "the daemon before this one did not end by itself: it was killed, or crashed");
            }
            None => {}
        }
        let _ = fs::remove_file(&path);
    }
}

/// The content of the file if its daemon has ended; `None` if it still runs.
fn read_if_ended(path: &Path) -> Option<Sign> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(O_NOFOLLOW).open(path).ok()?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(&file, MAX_LENGTH), &mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn files(directory: &Path) -> Vec<PathBuf> {
        let names = fs::read_dir(directory).unwrap();
        names.map(|name| name.unwrap().path()).collect()
    }

    fn sign(boot: &BootId, age: Duration, hung: bool) -> (Sign, Timestamp) {
        let now = std::time::SystemTime::now();
        let sign = Sign {
            pid: 7,
            boot: boot.clone(),
            alive: Timestamp::from(now - age),
            hung,
        };
        (sign, Timestamp::from(now))
    }

    /// A daemon that runs, or hangs, until the sender is dropped; and its file.
    fn running(directory: &Path, silence: Duration) -> (SyncSender<()>, thread::JoinHandle<()>, PathBuf) {
        let (sender, beats) = sync_channel(1);
        let place = directory.to_owned();
        let refreshing = thread::spawn(move || refresh(&place, &beats, silence).unwrap());
        let is_named = |path: &PathBuf| path.to_string_lossy().contains(PREFIX);
        let file = loop {
            match files(directory).pop().filter(is_named) {
                Some(path) => break path,
                None => thread::yield_now(),
            }
        };
        (sender, refreshing, file)
    }

    #[test]
    fn a_daemon_that_ends_leaves_nothing_and_one_that_runs_is_not_touched() {
        let directory = directory();
        let (sender, refreshing, file) = running(directory.path(), SILENCE);
        assert_eq!(read_if_ended(&file), None, "its daemon runs");
        drop(sender);
        refreshing.join().unwrap();
        assert!(files(directory.path()).is_empty());
    }

    #[test]
    fn a_daemon_without_a_beat_is_marked_as_hung_until_there_is_one() {
        let directory = directory();
        let (sender, refreshing, file) = running(directory.path(), Duration::from_millis(1));
        let hangs = || {
            serde_json::from_slice::<Sign>(&fs::read(&file).unwrap())
                .unwrap()
                .hung
        };
        while !hangs() {
            thread::yield_now();
        }
        while hangs() {
            let _ = sender.try_send(());
        }
        drop(sender);
        refreshing.join().unwrap();
    }

    #[test]
    fn a_hang_a_kill_and_a_restart_of_the_node_are_distinguished() {
        let boot = BootId::current().unwrap();
        let ending = |age, hung| {
            let (sign, next) = sign(&boot, Duration::from_secs(age), hung);
            sign.ending(&boot, next)
        };
        assert_eq!(ending(3, false), Some(Ending::Killed));
        assert_eq!(ending(9, false), Some(Ending::Stale(Duration::from_secs(9))));
        assert_eq!(ending(6, true), Some(Ending::Hung));
        let other: BootId = serde_json::from_str("\"other\"").unwrap();
        let (sign, next) = sign(&other, Duration::from_secs(9), true);
        assert_eq!(sign.ending(&boot, next), None);
    }

    #[test]
    fn the_file_of_a_killed_daemon_is_read_once() {
        let directory = directory();
        let (sign, next) = sign(&BootId::current().unwrap(), Duration::from_secs(1), false);
        let path = directory.path().join(format!("{PREFIX}1-7"));
        sign.write(&File::create(&path).unwrap()).unwrap();
        assert_eq!(read_if_ended(&path), Some(sign));
        report_earlier(directory.path(), next);
        assert!(files(directory.path()).is_empty());
    }
}
