//! An upgrade in place: first a daemon of another release, then the front.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Front, KILLED, complain};
use crate::front::handover::{self, FORMAT, Handover};

/// The maximum time for a daemon to end that another release replaces: less than the runtime waits for an
/// answer.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time until the program of another release reports that it takes over.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The step of an upgrade in place. The next daemon shows that the program runs before the front executes
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// The daemon must have ended by this time.
    Ending(Instant),
    /// The next daemon must have begun by this time.
    Beginning(Instant),
    /// The front executes the program when no request is open.
    Ready,
}

impl Upgrade {
    /// The time by which the next step must be done.
    pub(super) fn limit(self) -> Option<Instant> {
        match self {
            Upgrade::Ending(limit) | Upgrade::Beginning(limit) => Some(limit),
            Upgrade::Ready => None,
        }
    }

    /// Whether the daemon ends, and its unit continues.
    pub(super) fn is_ending(self) -> bool {
        matches!(self, Upgrade::Ending(_))
    }
}

impl Front {
    /// Makes the daemon check its files, or another release of the program take over if the disk has one.
    pub(super) fn reload(&mut self) {
        let is_another = match self.upgrade {
            // The next daemon reads them.
            Some(Upgrade::Ending(_) | Upgrade::Beginning(_)) => return,
            Some(Upgrade::Ready) => false,
            // Elsewhere the path may name another program.
            None => self.stop.is_none() && self.mounts.is_home() && handover::is_another(&self.program),
        };
        if let Some(daemon) = &self.daemon {
            daemon.signal(match is_another {
                true => Signal::SIGTERM,
                false => Signal::SIGHUP,
            });
        }
        if is_another {
            let now = Instant::now();
            self.upgrade = Some(match self.daemon {
                Some(_) => Upgrade::Ending(now + REPLACE_TIMEOUT),
                None => Upgrade::Beginning(now + BEGIN_TIMEOUT),
            });
        }
    }

    /// A daemon has begun, whose program takes over in this format.
    pub(super) fn began(&mut self, format: u32) {
        if !matches!(self.upgrade, Some(Upgrade::Beginning(_))) {
            return;
        }
        self.upgrade = (format == FORMAT).then_some(Upgrade::Ready);
        if self.upgrade.is_none() {
            complain(
                "the daemon runs a release that cannot take over from its front; restart both to replace the front",
            );
        }
    }

    /// Executes the program of the daemon, if that is another release and no request is open.
    pub(super) fn become_next_release(&mut self) {
        let (Some(Upgrade::Ready), Some(daemon), None) = (self.upgrade, &self.daemon, self.stop) else {
            return;
        };
        let Some(held) = self.relay.held() else {
            return;
        };
        let ends = [self.relay.runtime().map(|(wire, _)| wire), self.relay.session()];
        let [runtime, session] = ends.map(|wire| wire.map(AsFd::as_fd));
        let handover = Handover {
            format: FORMAT,
            program: self.program.clone(),
            is_launched: self.is_launched,
            report: self.report,
            reason: self.reason,
            held,
            runtime: runtime.map(|end| end.as_raw_fd()),
            session: session.map(|end| end.as_raw_fd()),
            control: daemon.control.as_raw_fd(),
            notes: self.notes.as_ref().map(AsRawFd::as_raw_fd),
        };
        let notes = self.notes.as_ref().map(AsFd::as_fd);
        let descriptors: Vec<_> = [runtime, session, Some(daemon.control.as_fd()), notes]
            .into_iter()
            .flatten()
            .collect();
        let error = handover.execute(daemon.pid, &descriptors);
        complain(&format!(
            "the front keeps its release: cannot execute {}: {error}",
            self.program.display()
        ));
        self.upgrade = None;
    }

    /// Whether the daemon has ended because another release replaces it, which is started at once.
    pub(super) fn is_replaced(&mut self) -> bool {
        let is_replaced = self.upgrade.is_some_and(Upgrade::is_ending);
        if is_replaced {
            self.restart = Instant::now();
            self.upgrade = Some(Upgrade::Beginning(self.restart + BEGIN_TIMEOUT));
        }
        is_replaced
    }

    /// Handles a step that is not done in time. Returns the status to end with, if the front must end.
    pub(super) fn upgrade_timed_out(&mut self) -> Option<u8> {
        if let Some(daemon) = &self.daemon {
            daemon.signal(Signal::SIGKILL);
        }
        if self.upgrade.is_some_and(Upgrade::is_ending) {
            return self.ended(KILLED);
        }
        complain(&format!(
            "the program at {} did not start within {} s: the front ends, so that it is restarted",
            self.program.display(),
            BEGIN_TIMEOUT.as_secs()
        ));
        Some(1)
    }
}
