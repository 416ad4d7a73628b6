//! The files of one container.
//!
//! Everything is reached through a descriptor of the folder, so it stays the same folder when it
//! is moved from `live` to `past` by another process.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::claim::{Claim, Claimed, append};
use super::{Created, Header, LedgerError, Line, Moment, Record, StageResult, Trigger};
use crate::select::{Frozen, FrozenHook};
use crate::spec::Stage;

pub(super) const ENTRY: &str = "entry";
const OWNER_ONLY: Mode = Mode::from_bits_truncate(0o600);

/// The files of one container.
#[derive(Debug)]
pub struct EntryFolder {
    folder: OwnedFd,
    /// Where it was when it was opened; for messages.
    path: PathBuf,
}

impl EntryFolder {
    /// The folder at `path`; `None` if there is none.
    pub(super) fn open(path: PathBuf) -> Result<Option<EntryFolder>, LedgerError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match open(&path, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(EntryFolder { folder, path })),
            Err(Errno::ENOENT) => Ok(None),
            // No folder; a link.
            Err(Errno::ENOTDIR | Errno::ELOOP) => Err(LedgerError::Stray { path }),
            Err(errno) => Err(LedgerError::io("open", &path)(errno.into())),
        }
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the entry into a folder that is not in its place yet.
    pub(super) fn write_entry(&self, header: &Header, frozen: &Frozen) -> Result<(), LedgerError> {
        let file = self.create(ENTRY)?;
        header
            .write(frozen, io::BufWriter::new(file))
            .map_err(LedgerError::io("write", self.path.join(ENTRY)))
    }

    /// Which container this is, and what it is owed.
    ///
    /// # Errors
    /// The entry is damaged, or of a later release.
    pub fn header(&self) -> Result<Header, LedgerError> {
        self.entry().map(|(header, _)| header)
    }

    /// The hooks that the container is owed at `stage`.
    ///
    /// # Errors
    /// The entry is damaged, or of a later release.
    pub fn hooks(&self, stage: Stage) -> Result<(Header, Vec<FrozenHook>), LedgerError> {
        let (header, mut file) = self.entry()?;
        let hooks = header.read_stage(stage, &self.path.join(ENTRY), &mut file)?;
        Ok((header, hooks))
    }

    fn entry(&self) -> Result<(Header, BufReader<File>), LedgerError> {
        let path = self.path.join(ENTRY);
        let file = self.read_only(ENTRY)?;
        let mut file = BufReader::new(file.ok_or_else(|| LedgerError::damaged(&path, "it is missing"))?);
        Ok((Header::read(&path, &mut file)?, file))
    }

    /// What is known of the container's creation by the OCI runtime; `None` if that did not happen.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn created(&self) -> Result<Option<Created>, LedgerError> {
        for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
            let record = self.read(stage, |bytes| Record::parse_one(bytes, "created"))?;
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
        let record = self.read(stage, |bytes| Record::parse_one(bytes, "finished"))?;
        Ok(record.and_then(|record| record.finished().cloned()))
    }

    fn read(
        &self,
        stage: Stage,
        parse: impl FnOnce(&[u8]) -> Result<Record, &'static str>,
    ) -> Result<Option<Record>, LedgerError> {
        let Some(bytes) = self.bytes(stage.key())? else {
            return Ok(None);
        };
        let path = || self.path.join(stage.key());
        let record = parse(&bytes).map_err(|reason| LedgerError::damaged(path(), reason))?;
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
        let (file, path) = self.append_only(stage)?;
        file.lock().map_err(LedgerError::io("lock", &path))?;
        Claim::of(file, path, by)
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

    /// Notes that an event was answered before `stage` was over. The claim is not needed for that.
    ///
    /// # Errors
    /// It could not be written.
    pub fn note_late(&self, stage: Stage, by: Trigger, waited: Duration) -> Result<(), LedgerError> {
        let line = Line::Late {
            by,
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            at: Moment::now(),
        };
        self.note(stage, &line)
    }

    fn note(&self, stage: Stage, line: &Line) -> Result<(), LedgerError> {
        let (mut file, path) = self.append_only(stage)?;
        append(&mut file, line).map_err(LedgerError::io("write", path))
    }

    /// Whether nothing ever happened to the container but that it was recorded.
    pub(super) fn is_untouched(&self) -> Result<bool, LedgerError> {
        // Through the descriptor: the folder may have been moved.
        let path = format!("/proc/self/fd/{}", self.folder.as_raw_fd());
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

    fn create(&self, name: &str) -> Result<File, LedgerError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        self.open_file(name, flags)
            .map_err(LedgerError::io("create", self.path.join(name)))
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
        // A pipe would make us wait for its other end; to a file the last flag means nothing.
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = File::from(openat(&self.folder, name, flags, OWNER_ONLY)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        Ok(file)
    }
}
