//! The files of a pod while the daemon is on its host, and the lock of the one pod that writes the host's.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::PodError;

const MOUNTS: &str = "/proc/self/ns/mnt";

/// A directory of the pod.
#[derive(Debug)]
pub(super) struct PodDirectory {
    /// Open, so that it is accessible after the daemon has entered the host.
    directory: File,
    /// The pod's mount namespace. It would end when its last process has entered the host's, and with it the
    /// mounts below the directory.
    _mounts: File,
}

impl PodDirectory {
    /// Must be called before the daemon enters the host.
    pub(super) fn open(path: &Path) -> Result<PodDirectory, PodError> {
        Ok(PodDirectory {
            directory: File::open(path).map_err(PodError::io("open", path))?,
            _mounts: File::open(MOUNTS).map_err(PodError::io("open", MOUNTS))?,
        })
    }

    /// The path of a file of the directory, wherever the directory is.
    pub(super) fn path(&self, name: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd())).join(name)
    }
}

/// Locks the file at `path` as long as the result is open. `None` if another process has it.
pub(super) fn lock(path: &Path) -> Result<Option<File>, PodError> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path);
    let file = file.map_err(PodError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(PodError::io("lock", path)(error)),
    }
}
