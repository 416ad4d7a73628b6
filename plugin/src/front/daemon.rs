//! The daemon as the front's child process.

use std::env;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;

use super::control::{self, FromFront, NOTES, Report, VARIABLE};
use super::handover;

/// The time without a sign of life after which a daemon is killed. The next one should run within 20 s of a
/// hang, as with systemd's watchdog or a probe.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// The program of this process, even if its file was replaced or removed.
pub(super) const SELF: &str = "/proc/self/exe";

/// The variable with the socket of a plugin that the runtime has launched.
pub(super) const LAUNCHED: &str = "NRI_PLUGIN_SOCKET";

/// A daemon that has not ended.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) pid: Pid,
    pub(super) control: OwnedFd,
    pub(super) began: Instant,
    /// Its last sign of life.
    pub(super) alive: Instant,
    /// Whether it has received its end of a connection: a daemon that requests another has given that up.
    pub(super) has_connected: bool,
}

impl Daemon {
    /// Starts one from `program`, or else from the program of this process as it was at its start. A
    /// launched plugin inherits `session`, and each daemon the `notes` of an earlier one.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn start(
        program: &Path,
        session: Option<&UnixStream>,
        notes: Option<&OwnedFd>,
        report: &Report,
    ) -> io::Result<Daemon> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (control, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        // The daemon finds this message when it begins.
        control::send(&control, &FromFront::Changed(*report), None)?;
        let mut inherited = vec![theirs.as_fd()];
        let mut command = Command::new(program);
        // The service manager watches the front.
        command.env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.env_remove(handover::VARIABLE);
        command.env(VARIABLE, theirs.as_raw_fd().to_string());
        if let Some(session) = session {
            command.env(LAUNCHED, session.as_raw_fd().to_string());
            inherited.push(session.as_fd());
        }
        // A copy: the front's own stays out of other programs.
        let notes = notes.map(OwnedFd::try_clone).transpose()?;
        match &notes {
            Some(notes) => {
                command.env(NOTES, notes.as_raw_fd().to_string());
                inherited.push(notes.as_fd());
            }
            None => drop(command.env_remove(NOTES)),
        }
        let mut arguments = env::args_os();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command.args(arguments);
        // This process has one thread, so no other program inherits them.
        for descriptor in &inherited {
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        let child = command.spawn().or_else(|_| {
            let mut again = Command::new(SELF);
            again.args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => again.env(name, value),
                    None => again.env_remove(name),
                };
            }
            again.spawn()
        });
        let pid = Pid::from_raw(child?.id().cast_signed());
        Ok(Daemon::new(pid, control, session.is_some()))
    }

    /// A daemon that has begun.
    pub(super) fn new(pid: Pid, control: OwnedFd, has_connected: bool) -> Daemon {
        let now = Instant::now();
        Daemon {
            pid,
            control,
            began: now,
            alive: now,
            has_connected,
        }
    }

    /// Sends it a signal. A daemon that has ended needs none.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill(self.pid, signal);
    }

    /// Sends it a message. A daemon that does not read it requests again, or is replaced.
    pub(super) fn send(&self, message: &FromFront, session: Option<&UnixStream>) {
        let _ = control::send(&self.control, message, session.map(AsFd::as_fd));
    }
}
