//! The loop of the front: the events that it waits for, and its reactions.

mod restart;
mod upgrade;

use std::collections::VecDeque;
use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde::{Deserialize, Serialize};

use super::control::{self, FromDaemon, FromFront, Report, VARIABLE};
use super::daemon::{Daemon, LAUNCHED, SILENCE};
use super::handover;
use super::manager::Manager;
use super::mounts::Mounts;
use super::relay::{Change, Relay};
use crate::system;
use upgrade::Upgrade;

/// The maximum time for a daemon to end after the request: less than both its unit and its pod give.
const STOP_TIMEOUT: Duration = Duration::from_secs(9);

/// The status of a daemon that was killed, in the form of a shell.
const KILLED: u8 = 128 + Signal::SIGKILL as u8;

/// The delay of a wake-up beyond which the front counts as stopped itself.
const STALL: Duration = Duration::from_secs(1);

/// The maximum wait.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Whether this process is to be a front: it is to run the daemon, and has none.
pub fn is_front(first_argument: Option<&OsStr>) -> bool {
    let runs = first_argument.map_or(env::var_os(LAUNCHED).is_some(), |word| word == "run");
    runs && env::var_os(VARIABLE).is_none()
}

/// Runs daemons until one ends on request, or the front has nothing to hold.
pub fn main() -> ExitCode {
    match Front::new().and_then(Front::run) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            complain(&format!("cannot hold the connection to the runtime: {error}"));
            ExitCode::FAILURE
        }
    }
}

struct Front {
    signals: SignalFd,
    manager: Manager,
    relay: Relay,
    program: PathBuf,
    is_launched: bool,
    mounts: Mounts,
    daemon: Option<Daemon>,
    /// The time when the next daemon is started, if none runs.
    restart: Instant,
    deaths: VecDeque<Instant>,
    /// The time by which the daemon must have ended, once it is requested.
    stop: Option<Instant>,
    report: Report,
    /// The reason of the next registration.
    reason: Reason,
    upgrade: Option<Upgrade>,
    /// The notes of the last daemon for the next one on the same connection.
    notes: Option<OwnedFd>,
}

/// The reason of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    Start,
    Runtime,
    Subscription,
}

/// Sources with data to be read, or that have ended.
#[derive(Debug, Clone, Copy)]
struct Ready {
    signals: bool,
    runtime: bool,
    session: bool,
    daemon: bool,
}

impl Front {
    fn new() -> io::Result<Front> {
        // Must run before anything is opened.
        let predecessor = handover::receive().unwrap_or_else(|error| {
            complain(&format!(
                "cannot take over from the earlier release, so the plugin registers again: {error}"
            ));
            None
        });
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
            signals.add(signal);
        }
        signals.thread_block()?;
        system::allow_waiting_for_children();
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let mut front = Front {
            signals,
            manager: Manager::from_env(),
            relay: Relay::default(),
            program: env::current_exe()?,
            is_launched: false,
            mounts: Mounts::default(),
            daemon: None,
            restart: Instant::now(),
            deaths: VecDeque::new(),
            stop: None,
            report: Report::default(),
            reason: Reason::Start,
            upgrade: None,
            notes: None,
        };
        if let Some(predecessor) = predecessor {
            front.relay = Relay::resume(
                predecessor.handover.held,
                predecessor.runtime,
                predecessor.session,
            )?;
            front.program = predecessor.handover.program;
            front.is_launched = predecessor.handover.is_launched;
            front.report = predecessor.handover.report;
            front.reason = predecessor.handover.reason;
            front.notes = predecessor.notes;
            let daemon = Daemon::new(predecessor.daemon, predecessor.control, true);
            daemon.send(&FromFront::Upgraded, None);
            front.daemon = Some(daemon);
            return Ok(front);
        }
        let number = env::var(LAUNCHED).ok().and_then(|text| text.parse().ok());
        // The daemon reports errors of the descriptor.
        let launched = number.and_then(|number| system::take_descriptor(number).ok());
        if let Some(runtime) = launched {
            front.is_launched = true;
            front.relay.hold(runtime.into(), false)?;
            front.report.registrations.start = 1;
        }
        Ok(front)
    }

    fn run(mut self) -> io::Result<u8> {
        loop {
            if self.daemon.is_none() && self.restart <= Instant::now() {
                self.start()?;
            }
            let ready = self.wait()?;
            if ready.signals
                && let Some(status) = self.handle_signals()?
            {
                return Ok(status);
            }
            if ready.daemon
                && let Some(status) = self.handle_requests()
                && let Some(status) = self.ended(status)
            {
                return Ok(status);
            }
            if ready.session {
                let change = self.relay.serve_session();
                self.changed(change);
            }
            if ready.runtime {
                let change = self.relay.serve_runtime();
                self.changed(change);
            }
            if let Some(status) = self.expire() {
                return Ok(status);
            }
            let change = self.relay.pass_on();
            self.changed(change);
            self.become_next_release();
        }
    }

    /// Waits until there is something to do. The runtime waits too, so the kernel is not asked again for a
    /// fact that it has just reported.
    fn wait(&mut self) -> io::Result<Ready> {
        let now = Instant::now();
        let due = [
            self.relay.deadline(),
            self.manager.due(),
            self.stop,
            self.daemon.is_none().then_some(self.restart),
            self.daemon.as_ref().map(|daemon| daemon.alive + SILENCE),
            self.upgrade.and_then(Upgrade::limit),
        ];
        let due = due.into_iter().flatten().min().unwrap_or(now + MAX_WAIT);
        let limit = due.saturating_duration_since(now).min(MAX_WAIT);
        // Rounded up, so that the due time has passed after the wait.
        let limit = Duration::from_millis(limit.as_millis() as u64 + 1);
        let absent = PollFd::new(self.signals.as_fd(), PollFlags::empty());
        let mut waited_for = [
            Some(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)),
            self.relay
                .runtime()
                .map(|(wire, may_read)| PollFd::new(wire.as_fd(), flags(may_read, wire.unsent()))),
            self.relay
                .session()
                .map(|wire| PollFd::new(wire.as_fd(), flags(true, wire.unsent()))),
            self.daemon
                .as_ref()
                .map(|daemon| PollFd::new(daemon.control.as_fd(), PollFlags::POLLIN)),
        ]
        .map(|descriptor| descriptor.unwrap_or_else(|| absent.clone()));
        match poll(
            &mut waited_for,
            PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
        ) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [signals, runtime, session, daemon] =
            waited_for.map(|descriptor| descriptor.any() != Some(false));
        if now.elapsed() > limit + STALL
            && let Some(daemon) = &mut self.daemon
        {
            // The cause that stopped the front may have stopped the daemon.
            daemon.alive = Instant::now();
        }
        Ok(Ready {
            signals,
            runtime,
            session,
            daemon,
        })
    }

    /// Handles signals. Returns the status to end with, if the front must end.
    fn handle_signals(&mut self) -> io::Result<Option<u8>> {
        while let Some(signal) = self.signals.read_signal()? {
            match Signal::try_from(signal.ssi_signo.cast_signed()) {
                Ok(Signal::SIGCHLD) => {
                    if let Some(status) = self.reap() {
                        return Ok(Some(status));
                    }
                }
                Ok(Signal::SIGHUP) => self.reload(),
                Ok(_) => {
                    let Some(daemon) = &self.daemon else {
                        return Ok(Some(0));
                    };
                    daemon.signal(Signal::SIGTERM);
                    self.stop.get_or_insert(Instant::now() + STOP_TIMEOUT);
                }
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Handles the daemon's messages. Returns its status, if it reports its end.
    fn handle_requests(&mut self) -> Option<u8> {
        while let Some(daemon) = &mut self.daemon {
            let (request, descriptor) = control::receive(&daemon.control).ok().flatten()?;
            daemon.alive = Instant::now();
            match (request, descriptor) {
                (FromDaemon::Alive, _) => {}
                (FromDaemon::Began(format), _) => self.began(format),
                (FromDaemon::Ended(status), _) => return Some(status),
                // Commands that are executed in the pod get the namespaces of its first process: the front.
                (FromDaemon::EnteredHost, _) => self.mounts.follow(daemon.pid),
                // The unit continues.
                (FromDaemon::Notify(_), _) if self.upgrade.is_some_and(Upgrade::is_ending) => {}
                (FromDaemon::Notify(state), _) => self.manager.notify(&state),
                (FromDaemon::Noted, notes) => self.notes = notes,
                (FromDaemon::Connected, Some(runtime)) => self.connected(runtime),
                (FromDaemon::Wanted, _) if daemon.has_connected => {
                    // The daemon closes a connection if the runtime does not answer on it, or breaks the
                    // protocol.
                    self.relay.drop_runtime();
                    self.offer();
                }
                (FromDaemon::Wanted | FromDaemon::Connected, _) => self.offer(),
            }
        }
        None
    }

    fn connected(&mut self, runtime: OwnedFd) {
        let registrations = &mut self.report.registrations;
        match self.reason {
            Reason::Start => registrations.start += 1,
            Reason::Runtime => registrations.runtime += 1,
            Reason::Subscription => registrations.subscription += 1,
        }
        self.reason = Reason::Runtime;
        // They are about an earlier connection.
        self.notes = None;
        let _ = self.relay.hold(UnixStream::from(runtime), true);
        self.offer();
    }

    fn offer(&mut self) {
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        self.report.is_resumed = self.relay.is_resumed();
        match self.relay.holds_runtime().then(|| self.relay.offer()) {
            Some(Ok(session)) => {
                daemon.has_connected = true;
                daemon.send(&FromFront::Session(self.report), Some(&session));
            }
            _ => daemon.send(&FromFront::NoSession, None),
        }
    }

    fn changed(&mut self, change: Option<Change>) {
        match change {
            None => return,
            Some(Change::RuntimeGone) => self.relay.drop_runtime(),
            // The daemon ends: from here on the runtime must not wait for it.
            Some(Change::DaemonGone) if self.stop.is_some() => self.relay.drop_runtime(),
            Some(Change::DaemonGone) => self.relay.drop_session(),
            Some(Change::OtherSubscription) => {
                self.relay.drop_runtime();
                self.reason = Reason::Subscription;
            }
        }
        if self.is_launched && !self.relay.holds_runtime() {
            // The daemon ends with its connection.
            self.stop.get_or_insert(Instant::now() + STOP_TIMEOUT);
        }
    }

    /// Does the work that is due. Returns the status to end with, if the front must end.
    fn expire(&mut self) -> Option<u8> {
        let now = Instant::now();
        self.manager.tick(now);
        if self.relay.deadline().is_some_and(|deadline| deadline <= now) {
            let why = match &self.daemon {
                None => "the daemon has ended and is being restarted".to_owned(),
                Some(daemon) => format!(
                    "the daemon (process {}) did not answer in time; its last sign of life was {:.1} s ago",
                    daemon.pid,
                    now.duration_since(daemon.alive).as_secs_f32()
                ),
            };
            let change = self.relay.expire(now, &why);
            self.changed(change);
            self.report.answered = self.relay.answered();
            if let Some(daemon) = &self.daemon {
                daemon.send(&FromFront::Changed(self.report), None);
            }
        }
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let daemon = self.daemon.as_ref()?;
        if self.upgrade.is_some_and(|upgrade| is_over(upgrade.limit())) {
            return self.upgrade_timed_out();
        }
        if is_over(self.stop) {
            daemon.signal(Signal::SIGKILL);
            return Some(KILLED);
        }
        if is_over(Some(daemon.alive + SILENCE)) {
            daemon.signal(Signal::SIGKILL);
            // The kernel may keep it for an unlimited time: the next one must not wait for that.
            self.daemon = None;
            self.relay.drop_session();
            self.restart = now;
            self.report.hung += 1;
        }
        None
    }
}

fn flags(may_read: bool, unsent: usize) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, may_read);
    flags.set(PollFlags::POLLOUT, unsent > 0);
    flags
}

/// Prints the reason why the front ends, unless its output is full: it does not wait for the reader.
fn complain(text: &str) {
    let stderr = io::stderr();
    let mut waited_for = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut waited_for, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        let _ = writeln!(io::stderr(), "nri-oci-hooks: {text}");
    }
}
