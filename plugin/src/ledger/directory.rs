//! The files of one container.
//!
//! Its records are reached through a descriptor of their directory, so it stays the same directory when
//! another process moves it from `live` to `past`.

mod files;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::fstat;

use super::checksum::{self, Format};
use super::claim::{Claim, Claimed};
use super::error::Damage;
use super::init::{INIT, InitEnd, InitLine};
use super::{Created, Entry, Header, LedgerError, Line, Record, StageResult, Trigger};
use crate::model::{ResolvedHook, ResolvedHooks, Stage, Timestamp};
use crate::trust::access::Use;
use files::{open_directory, open_file};

/// The name of the entry in the directory of the records. It is moved there after the start of the container.
pub(super) const ENTRY: &str = "entry";

/// The files of one container.
#[derive(Debug)]
pub struct EntryDirectory {
    /// The directory of the records; created with the first of them.
    directory: OnceLock<OwnedFd>,
    /// The path of that directory when it was opened.
    path: PathBuf,
    /// The path of the entry when it was opened.
    entry: PathBuf,
    /// The format in the entry, once it was read.
    format: OnceLock<Format>,
}

impl EntryDirectory {
    /// A container with its entry at `entry` and its records, if there are any, at `path`; `None` if neither
    /// exists.
    pub(super) fn tracked(entry: PathBuf, path: PathBuf) -> Result<Option<EntryDirectory>, LedgerError> {
        let directory = open_directory(&path)?;
        if directory.is_none() && entry.symlink_metadata().is_err() {
            return Ok(None);
        }
        let directory = directory.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Some(EntryDirectory {
            directory,
            path,
            entry,
            format: OnceLock::new(),
        }))
    }

    /// A container whose files are all in the directory at `path`; `None` if there is none.
    pub(super) fn archived(path: PathBuf) -> Result<Option<EntryDirectory>, LedgerError> {
        let directory = open_directory(&path)?.map(OnceLock::from);
        let entry = path.join(ENTRY);
        Ok(directory.map(|directory| EntryDirectory {
            directory,
            path,
            entry,
            format: OnceLock::new(),
        }))
    }

    /// The path of its records when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inode of the directory of its records, by which it is the same wherever it was moved; `None` if it has none.
    pub(crate) fn inode(&self) -> Option<u64> {
        Some(fstat(self.directory.get()?).ok()?.st_ino)
    }

    /// Writes an entry. Returns whether there was none at `path`.
    pub(super) fn write_entry(
        path: &Path,
        header: &Header,
        resolved: &ResolvedHooks,
        annotations: &BTreeMap<&str, &str>,
    ) -> Result<bool, LedgerError> {
        let file = match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            made => made.map_err(LedgerError::io("create", path))?,
        };
        let written = header.write(resolved, annotations, io::BufWriter::new(file));
        written.map(|()| true).map_err(|error| {
            // Nothing stays of a container that is not registered.
            let _ = fs::remove_file(path);
            LedgerError::io("write", path)(error)
        })
    }

    /// The container's identity, and the number of its hooks.
    ///
    /// # Errors
    /// The entry is damaged, or of a later release.
    pub fn header(&self) -> Result<Header, LedgerError> {
        self.entry().map(|entry| entry.header)
    }

    /// The container's hooks for `stage`.
    ///
    /// # Errors
    /// The entry is damaged, or of a later release.
    pub fn hooks(&self, stage: Stage) -> Result<Vec<ResolvedHook>, LedgerError> {
        self.entry()?.hooks(stage)
    }

    /// All hooks of the container.
    ///
    /// # Errors
    /// As [`EntryDirectory::hooks`].
    pub(crate) fn all_hooks(&self) -> Result<ResolvedHooks, LedgerError> {
        let stages = self.header()?.hooks.into_keys();
        let stages = stages.map(|stage| Ok((stage, self.hooks(stage)?)));
        Ok(ResolvedHooks {
            stages: stages.collect::<Result<_, LedgerError>>()?,
        })
    }

    /// The entry, read as far as its header.
    ///
    /// # Errors
    /// It is damaged, or of a later release.
    pub(crate) fn entry(&self) -> Result<Entry, LedgerError> {
        let (path, file) = match open_file(AT_FDCWD, &self.entry, OFlag::O_RDONLY) {
            // It was moved.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (self.path.join(ENTRY), self.read_only(ENTRY)?)
            }
            opened => {
                let file = opened.map_err(LedgerError::io("open", &self.entry))?;
                (self.entry.clone(), Some(file))
            }
        };
        let file = file.ok_or_else(|| LedgerError::damaged(&self.entry, "it is missing"))?;
        let entry = Entry::read(path, file)?;
        let _ = self.format.set(entry.format);
        Ok(entry)
    }

    /// The format of the container's files.
    fn format(&self) -> Result<Format, LedgerError> {
        match self.format.get() {
            Some(format) => Ok(*format),
            None => Ok(self.entry()?.format),
        }
    }

    /// The creation of the container by the OCI runtime; `None` if it was not created.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn created(&self) -> Result<Option<Created>, LedgerError> {
        for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
            let record = self.read(stage, |bytes, format| Record::parse_one(bytes, format, "created"))?;
            let created = record.and_then(|record| record.created().cloned());
            if created.is_some() {
                return Ok(created);
            }
        }
        Ok(None)
    }

    /// Records that the OCI runtime has created the container, in the record of `stage`. No claim is needed.
    /// The note of the earliest stage counts, and in that stage the first.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_created(&self, stage: Stage, created: &Created) -> Result<(), LedgerError> {
        self.note(stage, &Line::Created(created.clone()))
    }

    /// The record of `stage`; `None` if it has none. Does not wait for a claim.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn record(&self, stage: Stage) -> Result<Option<Record>, LedgerError> {
        self.read(stage, Record::parse)
    }

    /// The result of `stage`; `None` if it is not over.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn finished(&self, stage: Stage) -> Result<Option<StageResult>, LedgerError> {
        let record = self.read(stage, |bytes, format| {
            Record::parse_one(bytes, format, "finished")
        })?;
        Ok(record.and_then(|record| record.finished().cloned()))
    }

    fn read(
        &self,
        stage: Stage,
        parse: impl FnOnce(&[u8], Format) -> Result<Record, Damage>,
    ) -> Result<Option<Record>, LedgerError> {
        let Some(bytes) = self.bytes(stage.key())? else {
            return Ok(None);
        };
        let path = || self.path.join(stage.key());
        let record = parse(&bytes, self.format()?).map_err(|damage| LedgerError::damaged(path(), damage))?;
        Ok(Some(record))
    }

    /// Whether nothing of `stage` is pending. It has `hooks` hooks by the header.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(crate) fn is_complete(&self, stage: Stage, hooks: usize) -> Result<bool, LedgerError> {
        Ok(hooks == 0 || self.finished(stage)?.is_some())
    }

    /// Takes the claim on `stage`; waits for a process that holds it.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub fn claim(&self, stage: Stage, by: Trigger) -> Result<Claimed, LedgerError> {
        let format = self.format()?;
        let (file, path) = self.append_only(stage)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // This comes first: a hook that the kernel cannot kill may hold the lock forever.
                if let Some(result) = self.finished(stage)? {
                    return Ok(Claimed::Over(result));
                }
                file.lock().map_err(LedgerError::io("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(LedgerError::io("lock", path)(error)),
        }
        Claim::of(file, path, format, by)
    }

    /// Whether a runner runs `stage` now.
    ///
    /// # Errors
    /// The record cannot be opened.
    pub fn is_claimed(&self, stage: Stage) -> Result<bool, LedgerError> {
        let Some(file) = self.read_only(stage.key())? else {
            return Ok(false);
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(LedgerError::io("lock", self.path.join(stage.key()))(error))
            }
        }
    }

    /// Records that the start of the container is over: nothing is pending until it stops. Its entry moves
    /// beside its records, so that a scan of all containers finds the starting ones by their names.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn note_start_is_over(&self) -> Result<(), LedgerError> {
        match fs::rename(&self.entry, self.path.join(ENTRY)) {
            // It was moved already, or the container was removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved.map_err(LedgerError::io("move", &self.entry)),
        }
    }

    /// Records that an event was answered before `stage` was over. No claim is needed.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn note_event_timed_out(
        &self,
        stage: Stage,
        by: Trigger,
        waited: Duration,
    ) -> Result<(), LedgerError> {
        let line = Line::EventTimedOut {
            by,
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            at: Timestamp::now(),
        };
        self.note(stage, &line)
    }

    /// Records that the container's start did not wait for `stage`, and the reason. No claim is needed.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn note_not_held(&self, stage: Stage, reason: &str) -> Result<(), LedgerError> {
        let (reason, at) = (reason.to_owned(), Timestamp::now());
        self.note(stage, &Line::NotHeld { reason, at })
    }

    /// Records that a daemon waits for the end of the container's init.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_init_watched(&self) -> Result<(), LedgerError> {
        self.note_init(&InitLine::Watched { at: Timestamp::now() })
    }

    /// Records the exit code of the container's init, or 128 plus the number of the signal.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_init_exited(&self, code: i32) -> Result<(), LedgerError> {
        self.note_init(&InitLine::Exited {
            code,
            at: Timestamp::now(),
        })
    }

    /// The exit code of the container's init. A damaged line counts as absent.
    pub(crate) fn init_end(&self) -> InitEnd {
        let (Ok(Some(bytes)), Ok(format)) = (self.bytes(INIT), self.format()) else {
            return InitEnd::Unknown;
        };
        let lines = checksum::lines(&bytes, format).unwrap_or_default();
        let lines: Vec<InitLine> = lines
            .iter()
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        InitEnd::of(&lines)
    }

    fn note_init(&self, line: &InitLine) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, &self.path)?;
        let format = self.format()?;
        let path = self.path.join(INIT);
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT;
        let written = self
            .open_file(INIT, flags)
            .and_then(|file| checksum::append(&file, line, format));
        written.map_err(LedgerError::io("write", path))
    }

    fn note(&self, stage: Stage, line: &Line) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, &self.path)?;
        let format = self.format()?;
        let (file, path) = self.append_only(stage)?;
        checksum::append(&file, line, format).map_err(LedgerError::io("write", path))
    }

    /// Whether nothing ever happened to the container after its registration.
    pub(super) fn is_untouched(&self) -> Result<bool, LedgerError> {
        let Some(directory) = self.directory.get() else {
            return Ok(true);
        };
        // Through the descriptor, because the directory may have been moved.
        let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let mut names = fs::read_dir(path).map_err(LedgerError::io("list", &self.path))?;
        Ok(names.all(|name| name.is_ok_and(|name| name.file_name() == ENTRY)))
    }
}
