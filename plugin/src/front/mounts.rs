//! The mount namespace of the front, which follows its daemon onto the host.

use std::fs::File;
use std::io;

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use rustix::process::{Pid as Number, PidfdFlags, pidfd_open};

/// The namespace of this process.
const OWN: &str = "/proc/self/ns/mnt";

/// Where the front is.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// Where it was, if it has left.
    home: Option<File>,
}

impl Mounts {
    /// Goes where the process `daemon` is. If that fails, commands that are executed in the pod find the pod's files.
    pub(super) fn follow(&mut self, daemon: Pid) {
        let follow = || -> io::Result<File> {
            let home = File::open(OWN)?;
            let number = Number::from_raw(daemon.as_raw()).ok_or(io::ErrorKind::InvalidInput)?;
            setns(pidfd_open(number, PidfdFlags::empty())?, CloneFlags::CLONE_NEWNS)?;
            Ok(home)
        };
        self.home = follow().ok();
    }

    /// Goes back: the next daemon looks for the files of its pod.
    ///
    /// # Errors
    /// Those of setns(2).
    pub(super) fn come_back(&mut self) -> io::Result<()> {
        if let Some(home) = self.home.take() {
            setns(home, CloneFlags::CLONE_NEWNS)?;
        }
        Ok(())
    }
}
