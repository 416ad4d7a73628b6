//! Opens the files of a container: only regular ones that root alone can write.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::{ENTRY, EntryDirectory};
use crate::ledger::LedgerError;
use crate::model::Stage;

const OWNER_ONLY: Mode = Mode::from_bits_truncate(0o600);

impl EntryDirectory {
    pub(super) fn append_only(&self, stage: Stage) -> Result<(File, PathBuf), LedgerError> {
        let path = self.path.join(stage.key());
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT;
        let file = self
            .open_file(stage.key(), flags)
            .map_err(LedgerError::io("open", &path))?;
        Ok((file, path))
    }

    pub(super) fn read_only(&self, name: &str) -> Result<Option<File>, LedgerError> {
        match self.open_file(name, OFlag::O_RDONLY) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError::io("open", self.path.join(name))(error)),
        }
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(mut file) = self.read_only(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(LedgerError::io("read", self.path.join(name)))?;
        Ok(Some(bytes))
    }

    pub(super) fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let directory = match self.directory.get() {
            Some(directory) => directory,
            None => self.ensure_directory(flags.contains(OFlag::O_CREAT))?,
        };
        open_file(directory, Path::new(name), flags)
    }

    /// The directory, which another process may have created meanwhile. If there is none, it is created if
    /// `make`.
    fn ensure_directory(&self, make: bool) -> io::Result<&OwnedFd> {
        if make {
            match DirBuilder::new().mode(0o700).create(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if !self.entry.exists() && !self.path.join(ENTRY).exists() {
                // The container was removed meanwhile: a record here would be lost with its directory.
                let _ = fs::remove_dir(&self.path);
            }
        }
        let directory = open_directory(&self.path).map_err(io::Error::other)?;
        let directory = directory.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.directory.get_or_init(|| directory))
    }
}

/// The directory at `path`; `None` if there is none.
pub(super) fn open_directory(path: &Path) -> Result<Option<OwnedFd>, LedgerError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(directory) => {
            let directory = File::from(directory);
            let checked = directory.metadata().and_then(|metadata| check(&metadata));
            checked.map_err(LedgerError::io("trust", path))?;
            Ok(Some(directory.into()))
        }
        Err(Errno::ENOENT) => Ok(None),
        // Not a directory; a link.
        Err(Errno::ENOTDIR | Errno::ELOOP) => Err(LedgerError::Stray { path: path.into() }),
        Err(errno) => Err(LedgerError::io("open", path)(errno.into())),
    }
}

pub(super) fn open_file(directory: impl AsFd, name: &Path, flags: OFlag) -> io::Result<File> {
    // Opening a pipe would wait for its other end; for a file, the last flag has no effect.
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(openat(directory, name, flags, OWNER_ONLY)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    check(&metadata)?;
    Ok(file)
}

/// Fails unless the open file is root's, and only root may write to it.
fn check(metadata: &Metadata) -> io::Result<()> {
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    match uid == 0 && mode & 0o022 == 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "users other than root can write to it (owner {uid}, mode {mode:04o})"
        ))),
    }
}
