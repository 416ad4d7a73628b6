//! The mount namespace of the front, which follows its daemon onto the host.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

/// The namespace of this process.
const OWN: &str = "/proc/self/ns/mnt";

/// The mount namespace of the front.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// The first namespace, if the front has left it.
    home: Option<File>,
}

impl Mounts {
    /// Enters the namespace of the process `daemon`, if that is another. If it fails, commands that are
    /// executed in the pod find the pod's files.
    pub(super) fn follow(&mut self, daemon: Pid) {
        let follow = || -> io::Result<Option<File>> {
            let (home, theirs) = (File::open(OWN)?, File::open(format!("/proc/{daemon}/ns/mnt"))?);
            if home.metadata()?.ino() == theirs.metadata()?.ino() {
                return Ok(None);
            }
            setns(theirs, CloneFlags::CLONE_NEWNS)?;
            Ok(Some(home))
        };
        self.home = follow().ok().flatten();
    }

    /// Whether the front is in its first namespace.
    pub(super) fn is_home(&self) -> bool {
        self.home.is_none()
    }

    /// Returns to the first namespace: the next daemon needs the files of its pod.
    ///
    /// # Errors
    /// Those of setns(2).
    pub(super) fn return_home(&mut self) -> io::Result<()> {
        if let Some(home) = self.home.take() {
            setns(home, CloneFlags::CLONE_NEWNS)?;
        }
        Ok(())
    }
}
