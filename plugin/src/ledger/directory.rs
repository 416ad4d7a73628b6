//! The files of one container.
//!
//! Its records are reached through a descriptor of their directory, so it stays the same directory when it
//! is moved from `live` to `past` by another process.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};

use super::checksum::{self, Format};
use super::claim::{Claim, Claimed};
use super::{Created, Entry, Header, LedgerError, Line, Record, StageResult, Trigger};
use crate::model::{ResolvedHook, ResolvedHooks, Stage, Timestamp};
use crate::trust::access::Use;

/// What the entry is called in the directory of the records, into which it is moved at the end.
pub(super) const ENTRY: &str = "entry";
const OWNER_ONLY: Mode = Mode::from_bits_truncate(0o600);

/// The files of one container.
#[derive(Debug)]
pub struct EntryDirectory {
    /// That of the records; made with the first of them.
    directory: OnceLock<OwnedFd>,
    /// Where it was when it was opened.
    path: PathBuf,
    /// Where the entry was then.
    entry: PathBuf,
    /// As the entry says, once it was read.
    format: OnceLock<Format>,
}

impl EntryDirectory {
    /// A container with its entry at `entry` and its records, if there are any, at `path`; `None` if
    /// there is neither.
    pub(super) fn live(entry: PathBuf, path: PathBuf) -> Result<Option<EntryDirectory>, LedgerError> {
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
    pub(super) fn past(path: PathBuf) -> Result<Option<EntryDirectory>, LedgerError> {
        let directory = open_directory(&path)?.map(OnceLock::from);
        let entry = path.join(ENTRY);
        Ok(directory.map(|directory| EntryDirectory {
            directory,
            path,
            entry,
            format: OnceLock::new(),
        }))
    }

    /// Where its records were when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inode of the directory of its records, by which it is the same wherever it was moved; `None` if it has none.
    pub fn inode(&self) -> Option<u64> {
        Some(fstat(self.directory.get()?).ok()?.st_ino)
    }

    /// Writes an entry. Returns whether there was none at `path`.
    pub(super) fn write_entry(
        path: &Path,
        header: &Header,
        resolved: &ResolvedHooks,
        annotations: &BTreeMap<String, String>,
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
            // Of a container that is not entered nothing is kept.
            let _ = fs::remove_file(path);
            LedgerError::io("write", path)(error)
        })
    }

    /// Which container this is, and what it is owed.
    ///
    /// # Errors
    /// The entry is damaged, or of a later release.
    pub fn header(&self) -> Result<Header, LedgerError> {
        self.entry().map(|entry| entry.header)
    }

    /// The hooks that the container is owed at `stage`.
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
    pub fn all_hooks(&self) -> Result<ResolvedHooks, LedgerError> {
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
    pub fn entry(&self) -> Result<Entry, LedgerError> {
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

    /// How the container's files are written.
    fn format(&self) -> Result<Format, LedgerError> {
        match self.format.get() {
            Some(format) => Ok(*format),
            None => Ok(self.entry()?.format),
        }
    }

    /// What is known of the container's creation by the OCI runtime; `None` if that did not happen.
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

    /// Notes that the OCI runtime has created the container, in the record of `stage`. The claim is
    /// not needed for that. The note of the earliest stage holds, and there the first.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_created(&self, stage: Stage, created: &Created) -> Result<(), LedgerError> {
        self.note(stage, &Line::Created(created.clone()))
    }

    /// What happened at `stage` so far; `None` if nothing did. Looks without waiting for anybody.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn record(&self, stage: Stage) -> Result<Option<Record>, LedgerError> {
        self.read(stage, Record::parse)
    }

    /// How `stage` ended; `None` if it has not.
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
        parse: impl FnOnce(&[u8], Format) -> Result<Record, String>,
    ) -> Result<Option<Record>, LedgerError> {
        let Some(bytes) = self.bytes(stage.key())? else {
            return Ok(None);
        };
        let path = || self.path.join(stage.key());
        let record = parse(&bytes, self.format()?).map_err(|reason| LedgerError::damaged(path(), reason))?;
        Ok(Some(record))
    }

    /// Whether nothing is left to do at `stage`, of which the header counts `hooks`.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn is_settled(&self, stage: Stage, hooks: usize) -> Result<bool, LedgerError> {
        Ok(hooks == 0 || self.finished(stage)?.is_some())
    }

    /// Takes the claim on `stage`; waits for whoever has it.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub fn claim(&self, stage: Stage, by: Trigger) -> Result<Claimed, LedgerError> {
        let format = self.format()?;
        let (file, path) = self.append_only(stage)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // First: a hook that the kernel cannot kill may hold the lock for ever.
                if let Some(result) = self.finished(stage)? {
                    return Ok(Claimed::Over(result));
                }
                file.lock().map_err(LedgerError::io("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(LedgerError::io("lock", path)(error)),
        }
        Claim::of(file, path, format, by)
    }

    /// Whether a runner is at `stage` right now.
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

    /// Notes that nothing is left to do for the start of the container, and until it stops: its entry moves beside
    /// its records. Whoever has to look at all containers of the node finds those that matter by their names.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn note_start_is_over(&self) -> Result<(), LedgerError> {
        match fs::rename(&self.entry, self.path.join(ENTRY)) {
            // It has been, or the container was removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved.map_err(LedgerError::io("move", &self.entry)),
        }
    }

    /// Notes that an event was answered before `stage` was over. The claim is not needed for that.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_late(&self, stage: Stage, by: Trigger, waited: Duration) -> Result<(), LedgerError> {
        let line = Line::Late {
            by,
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            at: Timestamp::now(),
        };
        self.note(stage, &line)
    }

    /// Notes that the container's start did not wait for `stage`, and why. The claim is not needed
    /// for that.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_not_held(&self, stage: Stage, reason: &str) -> Result<(), LedgerError> {
        let (reason, at) = (reason.to_owned(), Timestamp::now());
        self.note(stage, &Line::NotHeld { reason, at })
    }

    fn note(&self, stage: Stage, line: &Line) -> Result<(), LedgerError> {
        let _access = LedgerError::begin(Use::Write, &self.path)?;
        let format = self.format()?;
        let (file, path) = self.append_only(stage)?;
        checksum::append(&file, line, format).map_err(LedgerError::io("write", path))
    }

    /// Whether nothing ever happened to the container but that it was entered.
    pub(super) fn is_untouched(&self) -> Result<bool, LedgerError> {
        let Some(directory) = self.directory.get() else {
            return Ok(true);
        };
        // Through the descriptor: the directory may have been moved.
        let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let mut names = fs::read_dir(path).map_err(LedgerError::io("list", &self.path))?;
        Ok(names.all(|name| name.is_ok_and(|name| name.file_name() == ENTRY)))
    }

    fn append_only(&self, stage: Stage) -> Result<(File, PathBuf), LedgerError> {
        let path = self.path.join(stage.key());
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT;
        let file = self
            .open_file(stage.key(), flags)
            .map_err(LedgerError::io("open", &path))?;
        Ok((file, path))
    }

    fn read_only(&self, name: &str) -> Result<Option<File>, LedgerError> {
        match self.open_file(name, OFlag::O_RDONLY) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError::io("open", self.path.join(name))(error)),
        }
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(mut file) = self.read_only(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(LedgerError::io("read", self.path.join(name)))?;
        Ok(Some(bytes))
    }

    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let directory = match self.directory.get() {
            Some(directory) => directory,
            None => self.come_to_directory(flags.contains(OFlag::O_CREAT))?,
        };
        open_file(directory, Path::new(name), flags)
    }

    /// The directory, which another process may have made meanwhile; else it is made if `make`.
    fn come_to_directory(&self, make: bool) -> io::Result<&OwnedFd> {
        if make {
            match DirBuilder::new().mode(0o700).create(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if !self.entry.exists() && !self.path.join(ENTRY).exists() {
                // It was removed meanwhile: nothing that somebody wrote may be lost with it.
                let _ = fs::remove_dir(&self.path);
            }
        }
        let directory = open_directory(&self.path).map_err(io::Error::other)?;
        let directory = directory.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}

/// The directory at `path`; `None` if there is none.
fn open_directory(path: &Path) -> Result<Option<OwnedFd>, LedgerError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(directory) => {
            let directory = File::from(directory);
            let checked = directory.metadata().and_then(|metadata| check(&metadata));
            checked.map_err(LedgerError::io("trust", path))?;
            Ok(Some(directory.into()))
        }
        Err(Errno::ENOENT) => Ok(None),
        // No directory; a link.
        Err(Errno::ENOTDIR | Errno::ELOOP) => Err(LedgerError::Stray { path: path.into() }),
        Err(errno) => Err(LedgerError::io("open", path)(errno.into())),
    }
}

fn open_file(directory: impl AsFd, name: &Path, flags: OFlag) -> io::Result<File> {
    // A pipe would make us wait for its other end; to a file the last flag means nothing.
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(openat(directory, name, flags, OWNER_ONLY)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    check(&metadata)?;
    Ok(file)
}

/// Fails unless what was opened is root's, and root alone may write to it.
fn check(metadata: &Metadata) -> io::Result<()> {
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    match uid == 0 && mode & 0o022 == 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "others than root can write to it (owner {uid}, mode {mode:04o})"
        ))),
    }
}
