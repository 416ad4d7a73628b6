//! The files and directories that have passed the check.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat};

use super::access::Use;
use super::check::{self, Purpose};
use super::error::{Fault, FileKind, TrustError};
use super::path_cache::{Found, PathCache};
use super::walk::{End, walk};

/// The identity of one state of one file: it changes when the file is written to, replaced or touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    size: i64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Seconds and nanoseconds; also moves when owner or mode change.
    changed: (i64, i64),
}

impl FileIdentity {
    /// The file's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size.unsigned_abs()
    }
}

impl From<&FileStat> for FileIdentity {
    fn from(stat: &FileStat) -> Self {
        FileIdentity {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl PathCache {
    /// As [`TrustedFile::to_read`], in this path cache.
    pub(crate) fn file_to_read(&mut self, path: &Path) -> Result<TrustedFile, TrustError> {
        self.file(path, Purpose::Read)
    }

    /// As [`TrustedFile::to_execute`], in this path cache.
    pub(crate) fn file_to_execute(&mut self, path: &Path) -> Result<TrustedFile, TrustError> {
        self.file(path, Purpose::Execute)
    }

    /// As [`TrustedDir::at`], in this path cache.
    pub(crate) fn directory(&mut self, path: &Path) -> Result<TrustedDir, TrustError> {
        match walk(self, path)? {
            (End::Directory(directory), real_path) => Ok(TrustedDir { directory, real_path }),
            (End::File { file, .. }, component) => Err(TrustError {
                component,
                fault: Fault::NotDirectory(check::kind(&file.stat)),
            }),
        }
    }

    fn file(&mut self, path: &Path, purpose: Purpose) -> Result<TrustedFile, TrustError> {
        let (directory, file, real_path) = match walk(self, path)? {
            (End::File { directory, file }, real_path) => (directory, file, real_path),
            (End::Directory(_), component) => {
                return Err(TrustError {
                    component,
                    fault: Fault::NotRegular(FileKind::Directory),
                });
            }
        };
        match check::file(&directory.stat, &file.stat, purpose) {
            Ok(()) => Ok(TrustedFile {
                directory,
                file,
                real_path,
            }),
            Err(fault) => Err(TrustError {
                component: real_path,
                fault,
            }),
        }
    }
}

/// A file that root may act on: regular, owned by root, writable by root alone, and reached only through
/// directories and links with the same properties.
///
/// The check holds for the time at which it was made; repeat it before each use.
#[derive(Debug)]
pub(crate) struct TrustedFile {
    directory: Arc<Found>,
    file: Arc<Found>,
    real_path: PathBuf,
}

impl TrustedFile {
    /// Checks the file at `path` for reading: a hook-spec. Nothing is opened, so no pipe blocks and no device
    /// is activated. A file system that hangs blocks once: see [`access`](super::access).
    ///
    /// Fails if `path` is not absolute, or any component is missing or breaks a rule.
    pub(crate) fn to_read(path: &Path) -> Result<TrustedFile, TrustError> {
        PathCache::new().file_to_read(path)
    }

    /// Checks the file at `path` for running: a hook. As [`TrustedFile::to_read`]; it must also have an
    /// execute bit and be neither setuid nor setgid.
    pub(crate) fn to_execute(path: &Path) -> Result<TrustedFile, TrustError> {
        PathCache::new().file_to_execute(path)
    }

    /// The identity of the file in its current state.
    pub(crate) fn identity(&self) -> FileIdentity {
        FileIdentity::from(&self.file.stat)
    }

    /// Its path without links, `.` and `..`.
    pub(crate) fn real_path(&self) -> &Path {
        &self.real_path
    }

    /// Opens it for reading.
    ///
    /// Fails if it may not be read, or its name now means another file.
    pub(crate) fn open(&self) -> Result<File, TrustError> {
        let blame = |fault| TrustError {
            component: self.real_path.clone(),
            fault,
        };
        let name = self.real_path.file_name().ok_or_else(|| blame(Fault::Changed))?;
        // If a pipe has taken the name since, opening it must not block.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let open = || -> Result<(OwnedFd, FileStat), Fault> {
            let _access = Use::Read.begin(&self.real_path)?;
            let file = openat(&self.directory.fd, name, flags, Mode::empty())?;
            let stat = fstat(&file)?;
            Ok((file, stat))
        };
        let (file, stat) = open().map_err(blame)?;
        if FileIdentity::from(&stat) != self.identity() {
            return Err(blame(Fault::Changed));
        }
        Ok(File::from(file))
    }
}

impl AsFd for TrustedFile {
    /// An `O_PATH` descriptor: usable for `execveat` and `fstat`, not for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.fd.as_fd()
    }
}

/// A directory that is owned by root and writable by root alone unless sticky. It was reached only through
/// directories and links with the same properties.
#[derive(Debug)]
pub(crate) struct TrustedDir {
    directory: Arc<Found>,
    real_path: PathBuf,
}

impl TrustedDir {
    /// The directory at `path`.
    ///
    /// Fails if `path` is not absolute, is no directory, or any component breaks a rule.
    pub(crate) fn at(path: &Path) -> Result<TrustedDir, TrustError> {
        PathCache::new().directory(path)
    }

    /// The directory, if root alone can create files in it: not even a sticky one is enough.
    ///
    /// # Errors
    /// Others can create files in it.
    pub(crate) fn unshared(self) -> Result<TrustedDir, TrustError> {
        match self.is_shared() {
            true => Err(TrustError {
                fault: check::writable(&self.directory.stat),
                component: self.real_path,
            }),
            false => Ok(self),
        }
    }

    /// Its path without links, `.` and `..`.
    pub(crate) fn real_path(&self) -> &Path {
        &self.real_path
    }

    /// Whether users other than root can create files in it, which a sticky directory allows.
    pub(crate) fn is_shared(&self) -> bool {
        check::is_shared(&self.directory.stat)
    }

    /// The names in it, unordered, without `.` and `..`.
    ///
    /// Fails if it may not be listed.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, TrustError> {
        let blame = |fault: Fault| TrustError {
            component: self.real_path.clone(),
            fault,
        };
        let _access = Use::Read
            .begin(&self.real_path)
            .map_err(|hangs| blame(hangs.into()))?;
        let blame = |errno: Errno| blame(errno.into());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(self, ".", flags, Mode::empty()).map_err(blame)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(blame)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

impl AsFd for TrustedDir {
    /// An `O_PATH` descriptor: usable as the start of `openat`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.fd.as_fd()
    }
}
