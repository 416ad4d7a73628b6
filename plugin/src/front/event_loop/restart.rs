//! Starts daemons, and reacts to their ends.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::{Front, complain};
use crate::front::daemon::Daemon;

/// The maximum number of daemons that may end before their time within [`DEATHS_PERIOD`].
const MAX_DEATHS: usize = 10;
const DEATHS_PERIOD: Duration = Duration::from_secs(60);

/// The minimum life of a daemon whose successor is started at once.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The delay before the successor of a daemon with a shorter life.
const RESTART_DELAY: Duration = Duration::from_millis(80);

impl Front {
    /// Starts a daemon.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.mounts.return_home()?;
        self.report.is_resumed = self.relay.is_resumed();
        let session = match self.is_launched && self.relay.holds_runtime() {
            true => Some(self.relay.offer()?),
            false => None,
        };
        let (session, notes) = (session.as_ref(), self.notes.as_ref());
        self.daemon = Some(Daemon::start(&self.program, session, notes, &self.report)?);
        Ok(())
    }

    /// Collects every child that has ended: in a pod, the front is the parent of orphans.
    pub(super) fn reap(&mut self) -> Option<u8> {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, status as u8),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as u8),
                Ok(WaitStatus::StillAlive) | Err(_) => return None,
                Ok(_) => continue,
            };
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == pid)
                && let Some(status) = self.ended(status)
            {
                return Some(status);
            }
        }
    }

    /// Handles the end of the daemon. Returns the status to end with, if the daemon is not replaced.
    pub(super) fn ended(&mut self, status: u8) -> Option<u8> {
        // Its answers count, and the status that it has reported itself.
        let status = self.handle_requests().unwrap_or(status);
        while self.relay.session().is_some_and(is_readable) {
            let change = self.relay.serve_session();
            self.changed(change);
        }
        self.relay.drop_session();
        let daemon = self.daemon.take()?;
        if self.stop.is_none() && self.is_replaced() {
            return None;
        }
        let was_killed = status > 128;
        if self.stop.is_some() || !(was_killed || self.relay.holds_runtime()) {
            return Some(status);
        }
        self.report.ended += 1;
        if self.may_restart(daemon.began.elapsed()) {
            return None;
        }
        complain(&format!(
            "the daemon ended {} times within {} s, the last time process {} with status {status}: \
             not started again",
            self.deaths.len(),
            DEATHS_PERIOD.as_secs(),
            daemon.pid
        ));
        Some(1)
    }

    fn may_restart(&mut self, lived: Duration) -> bool {
        let now = Instant::now();
        self.deaths.push_back(now);
        while self
            .deaths
            .front()
            .is_some_and(|death| now.duration_since(*death) > DEATHS_PERIOD)
        {
            self.deaths.pop_front();
        }
        self.restart = match lived < MIN_LIFETIME {
            true => now + RESTART_DELAY,
            false => now,
        };
        self.deaths.len() <= MAX_DEATHS
    }
}

fn is_readable(socket: &impl AsFd) -> bool {
    let mut waited_for = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut waited_for, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
