//! The containers without hooks: those that get none by the daemon's decision, and those whose init it has
//! ended.

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

/// The time since which the daemon notes its decisions that a container gets no hooks. It may not have been
/// asked about containers that began before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecidedSince {
    boot: BootId,
    /// In clock ticks since that boot.
    ticks: u64,
}

impl DecidedSince {
    /// Whether `init`, a process of the boot `now`, certainly began after that time.
    pub(crate) fn covers(&self, init: ProcessId, now: &BootId) -> bool {
        self.boot != *now || init.started > self.ticks
    }

    /// A time of so many clock ticks after `boot` began.
    #[cfg(test)]
    pub(crate) fn for_test(boot: BootId, ticks: u64) -> DecidedSince {
        DecidedSince { boot, ticks }
    }
}

/// The note that the init of one container was ended.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    boot: BootId,
    at: Timestamp,
}

impl Ledger {
    /// Notes that the container `id` gets no hooks, as the daemon decided. It is not synced, because after a
    /// reset of the machine its init is gone too.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn note_without(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let path = self.without_path(id);
        let made = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        made.map(drop).map_err(LedgerError::io("create", path))
    }

    /// Removes that note, if there is one: the container is removed.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn forget_without(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, self.root())?;
        let path = self.without_path(id);
        unless_missing(fs::remove_file(&path)).map_err(LedgerError::io("remove", path))
    }

    /// The containers that get no hooks by the daemon's decision, by id.
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

    /// The time since which such notes are made. If they never were, it is the start of `now`, a process of
    /// this boot.
    ///
    /// # Errors
    /// It can be neither read nor written.
    pub(crate) fn decided_since(&self, now: ProcessId) -> Result<DecidedSince, LedgerError> {
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

    /// Notes that the init of a container is ended now, so that it is created again. Returns whether that is
    /// allowed: not if it was done in the last `interval` of this boot. `container` identifies it, and stays
    /// the same when it is created again.
    ///
    /// # Errors
    /// It can be neither read nor written: then the init must not be ended.
    pub(crate) fn may_end(&self, container: &[&str], interval: Duration) -> Result<bool, LedgerError> {
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
            // A note that cannot be parsed may be recent.
            None => path.symlink_metadata().is_err(),
        };
        if may_end || read::<Ended>(&path)?.is_none() {
            let boot = boot.clone();
            write(&path, &Ended { boot, at })?;
        }
        Ok(may_end)
    }

    /// Removes the notes of containers that do not exist by `is_there`, if they are at least `age` old.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(crate) fn prune_without(
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

    fn without_path(&self, id: &ContainerId) -> PathBuf {
        self.root().join(WITHOUT).join(id.as_str())
    }
}

/// Removes the notes that no longer count.
fn forget_old(directory: &Path, is_old: impl Fn(&Ended) -> bool) {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in files.map(|file| file.path()) {
        if matches!(read::<Ended>(&path), Ok(Some(ended)) if is_old(&ended)) {
            // A note that stays is at worst read again.
            let _ = fs::remove_file(&path);
        }
    }
}

/// One name for these texts together.
fn digest(texts: &[&str]) -> String {
    let digest = Sha256::digest(texts.join("\0"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the one line of the file at `path`; `None` if there is no such file, or its checksum does not match.
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
