//! The containers without hooks: those that the daemon decided so, and those whose init it has ended.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::store::{WITHOUT, unless_missing};
use super::{BootId, Ledger, LedgerError, checksum};
use crate::model::{ContainerId, ProcessId, Timestamp};
use crate::trust::access::Use;

const DECIDED_SINCE: &str = "decided-since";
const ENDED: &str = "ended";
const MISSED: &str = "missed";

/// Since when the daemon notes the containers that it decided to leave without hooks. What began before, it may not
/// have been asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedSince {
    boot: BootId,
    /// In clock ticks since that boot.
    ticks: u64,
}

impl DecidedSince {
    /// Whether `init`, a process of the boot `now`, certainly began since then.
    pub fn covers(&self, init: ProcessId, now: &BootId) -> bool {
        self.boot != *now || init.started > self.ticks
    }

    /// Since so many clock ticks after `boot` began.
    #[cfg(test)]
    pub(crate) fn for_test(boot: BootId, ticks: u64) -> DecidedSince {
        DecidedSince { boot, ticks }
    }
}

/// That the init of one container was ended.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    boot: BootId,
    at: Timestamp,
}

/// Which containers lack their hooks.
#[derive(Debug, Serialize, Deserialize)]
struct Missed<T> {
    containers: T,
}

impl Ledger {
    /// Notes that the container `id` gets no hooks, as the daemon decided. Not synced: after a reset of the machine
    /// its init is gone too.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_without(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let path = self.without_path(id);
        let made = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        made.map(drop).map_err(LedgerError::io("create", path))
    }

    /// Forgets that note, if there is one: the container is removed.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget_without(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let path = self.without_path(id);
        unless_missing(fs::remove_file(&path)).map_err(LedgerError::io("remove", path))
    }

    /// The containers that get no hooks, as the daemon decided, by id.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn without(&self) -> Result<Vec<ContainerId>, LedgerError> {
        let _access = LedgerError::begin(Use::Read, self.root())?;
        let path = self.root().join(WITHOUT);
        let listed = fs::read_dir(&path).map_err(LedgerError::io("list", &path))?;
        let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<ContainerId> = names.filter_map(|name| name.parse().ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Since when such notes are made: since `now`, a process of this boot, if they never were.
    ///
    /// # Errors
    /// It can be neither read nor written.
    pub fn decided_since(&self, now: ProcessId) -> Result<DecidedSince, LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let path = self.root().join(DECIDED_SINCE);
        if let Some(since) = read(&path)? {
            return Ok(since);
        }
        let since = DecidedSince {
            boot: BootId::current()?,
            ticks: now.started,
        };
        write(&path, &since)?;
        Ok(since)
    }

    /// Notes that the init of a container is ended now, so that it is made anew. Returns whether that may be done: not
    /// if it was done in the last `interval` of this boot. `container` is what stays the same when it is made anew.
    ///
    /// # Errors
    /// It can be neither read nor written: then it must not be ended.
    pub fn may_end(&self, container: &[&str], interval: Duration) -> Result<bool, LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let directory = self.root().join(ENDED);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(LedgerError::io("create", &directory))?;
        // Two daemons may be about to end the same one.
        let lock = fs::File::open(&directory).map_err(LedgerError::io("open", &directory))?;
        lock.lock().map_err(LedgerError::io("lock", &directory))?;
        let (boot, at) = (BootId::current()?, Timestamp::now());
        let is_old = |ended: &Ended| ended.boot != boot || at.since(ended.at) >= interval;
        forget_old(&directory, is_old);
        let path = directory.join(digest(container));
        let may_end = match read::<Ended>(&path)? {
            Some(ended) => is_old(&ended),
            // One that cannot be understood may be of now.
            None => path.symlink_metadata().is_err(),
        };
        if may_end || read::<Ended>(&path)?.is_none() {
            let boot = boot.clone();
            write(&path, &Ended { boot, at })?;
        }
        Ok(may_end)
    }

    /// Forgets the notes of containers of which `is_there` knows none, if they are at least `age` old.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn prune_without(
        &self,
        age: Duration,
        is_there: impl Fn(&ContainerId) -> bool,
    ) -> Result<(), LedgerError> {
        for id in self.without()?.iter().filter(|id| !is_there(id)) {
            let noted = fs::metadata(self.without_path(id)).and_then(|file| file.modified());
            if noted.is_ok_and(|noted| Timestamp::now().since(noted.into()) >= age) {
                self.forget_without(id)?;
            }
        }
        Ok(())
    }

    /// Notes which containers lack the hooks that they should have, in place of what was noted before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_missed(&self, containers: &impl Serialize) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        write(&self.root().join(MISSED), &Missed { containers })
    }

    /// What was noted last; `None` if that was never, or is damaged.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn missed<T: for<'de> Deserialize<'de>>(&self) -> Result<Option<T>, LedgerError> {
        let _access = LedgerError::begin(Use::Read, self.root())?;
        let missed: Option<Missed<T>> = read(&self.root().join(MISSED))?;
        Ok(missed.map(|missed| missed.containers))
    }

    fn without_path(&self, id: &ContainerId) -> PathBuf {
        self.root().join(WITHOUT).join(id.as_str())
    }
}

/// Removes the notes that say nothing any more.
fn forget_old(directory: &Path, is_old: impl Fn(&Ended) -> bool) {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in files.map(|file| file.path()) {
        if matches!(read::<Ended>(&path), Ok(Some(ended)) if is_old(&ended)) {
            // What stays is at worst looked at again.
            let _ = fs::remove_file(&path);
        }
    }
}

/// A name for what these texts name together.
fn digest(texts: &[&str]) -> String {
    let digest = Sha256::digest(texts.join("\0"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What the one line of the file at `path` says; `None` if there is no such file, or its checksum does not match.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, LedgerError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::io("read", path)(error)),
        Ok(bytes) => {
            let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let value = checksum::matches(line).then(|| serde_json::from_slice(line).ok());
            Ok(value.flatten())
        }
    }
}

/// Writes a file of one line, whole or not at all.
fn write(path: &Path, value: &impl Serialize) -> Result<(), LedgerError> {
    let new = path.with_extension("new");
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&checksum::to_line(value, checksum::Format::Sealed)?)?;
        fs::rename(&new, path)
    };
    written().map_err(LedgerError::io("write", path))
}
