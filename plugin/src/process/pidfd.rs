//! A descriptor of one process. It becomes readable when the process ends, and never refers to another one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::process;
use crate::model::ProcessId;

/// A descriptor of one process.
#[derive(Debug)]
pub(crate) struct Pidfd(OwnedFd);

impl Pidfd {
    /// The descriptor of `of`; `None` if it has ended.
    ///
    /// # Errors
    /// The kernel lacks descriptors, or is older than Linux 5.3.
    pub(crate) fn open(of: ProcessId) -> io::Result<Option<Pidfd>> {
        let Some(pid) = Pid::from_raw(of.pid) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            opened => opened?,
        };
        // The identity is compared afterwards, because another process may have had the number before.
        Ok((process(of.pid) == Some(of)).then_some(Pidfd(pidfd)))
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut events = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut events, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Pidfd> for OwnedFd {
    fn from(pidfd: Pidfd) -> OwnedFd {
        pidfd.0
    }
}
