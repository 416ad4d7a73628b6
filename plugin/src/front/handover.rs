//! Hands a front's state over to the next release of its program: the process and its descriptors stay.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::control::Report;
use super::daemon::SELF;
use super::event_loop::Reason;
use super::relay::Held;
use crate::system;

/// Names the memory that holds the handover, and the process id of the daemon.
pub(super) const VARIABLE: &str = "NRI_OCI_HOOKS_HANDOVER";

/// The format of a handover. A daemon reports the format of its program before the front executes that
/// program.
pub(super) const FORMAT: u32 = 1;

/// The maximum length of a handover: a Configure of the maximum length, written as numbers.
const MAX_LENGTH: u64 = 24 << 20;

/// The state for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handover {
    pub(super) format: u32,
    pub(super) program: PathBuf,
    pub(super) is_launched: bool,
    pub(super) report: Report,
    pub(super) reason: Reason,
    pub(super) held: Held,
    /// Connection to the runtime, end of the daemon's session, and control socket of the daemon.
    pub(super) runtime: Option<RawFd>,
    pub(super) session: Option<RawFd>,
    pub(super) control: RawFd,
    /// The notes of the daemon for the next one.
    #[serde(default)]
    pub(super) notes: Option<RawFd>,
}

/// The state from the program before this one.
#[derive(Debug)]
pub(super) struct Predecessor {
    pub(super) handover: Handover,
    pub(super) daemon: Pid,
    pub(super) runtime: Option<UnixStream>,
    pub(super) session: Option<UnixStream>,
    pub(super) control: OwnedFd,
    pub(super) notes: Option<OwnedFd>,
}

impl Handover {
    /// Makes this process execute the next program, with `descriptors` open. Returns the error if it fails.
    pub(super) fn execute(&self, daemon: Pid, descriptors: &[BorrowedFd<'_>]) -> io::Error {
        let execute = || -> io::Result<io::Error> {
            let mut memory = File::from(memfd_create("handover", MFdFlags::MFD_CLOEXEC)?);
            memory.write_all(&serde_json::to_vec(self)?)?;
            memory.rewind()?;
            let inherited = [descriptors, &[memory.as_fd()]].concat();
            set_flags(&inherited, FdFlag::empty())?;
            let mut arguments = env::args_os();
            let name = arguments.next().unwrap_or_else(|| self.program.clone().into());
            let error = Command::new(&self.program)
                .arg0(name)
                .args(arguments)
                .env(VARIABLE, format!("{} {daemon}", memory.as_raw_fd()))
                .exec();
            set_flags(&inherited, FdFlag::FD_CLOEXEC)?;
            Ok(error)
        };
        execute().unwrap_or_else(|error| error)
    }
}

fn set_flags(descriptors: &[BorrowedFd<'_>], flags: FdFlag) -> io::Result<()> {
    for descriptor in descriptors {
        fcntl(descriptor, FcntlArg::F_SETFD(flags))?;
    }
    Ok(())
}

/// Takes over from the program that this process ran before; none if there was none. Call it before anything
/// is opened.
///
/// # Errors
/// The handover cannot be read. Then the daemon is killed, and every descriptor closed: the runtime must not
/// wait for a connection that no process reads.
pub(super) fn receive() -> io::Result<Option<Predecessor>> {
    let Some(value) = env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let mut words = value.to_str().unwrap_or_default().split(' ').map(str::parse);
    let (memory, daemon) = (words.next(), words.next());
    let daemon = daemon.and_then(Result::ok).map(Pid::from_raw);
    let predecessor = match (memory, daemon) {
        (Some(Ok(memory)), Some(daemon)) => read(memory, daemon),
        _ => Err(invalid(VARIABLE)),
    };
    predecessor.map(Some).inspect_err(|_| give_up(daemon))
}

fn read(memory: RawFd, daemon: Pid) -> io::Result<Predecessor> {
    let memory = File::from(system::take_descriptor(memory)?);
    let mut bytes = Vec::new();
    memory.take(MAX_LENGTH).read_to_end(&mut bytes)?;
    let handover: Handover = serde_json::from_slice(&bytes)?;
    if handover.format != FORMAT {
        return Err(invalid("its format"));
    }
    if !handover.held.is_sound() {
        return Err(invalid("its content"));
    }
    let stream = |number| Ok::<_, io::Error>(UnixStream::from(socket(number, SockType::Stream)?));
    Ok(Predecessor {
        daemon,
        runtime: handover.runtime.map(stream).transpose()?,
        session: handover.session.map(stream).transpose()?,
        control: socket(handover.control, SockType::SeqPacket)?,
        notes: handover.notes.map(system::take_descriptor).transpose()?,
        handover,
    })
}

fn socket(number: RawFd, kind: SockType) -> io::Result<OwnedFd> {
    let socket = system::take_descriptor(number)?;
    match getsockopt(&socket, sockopt::SockType)? == kind {
        true => Ok(socket),
        false => Err(invalid("a descriptor")),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is invalid"))
}

fn give_up(daemon: Option<Pid>) {
    let is_ours = |pid: &Pid| {
        matches!(
            waitpid(*pid, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive)
        )
    };
    if let Some(daemon) = daemon.filter(|pid| pid.as_raw() > 0).filter(is_ours) {
        let _ = kill(daemon, Signal::SIGKILL);
    }
    // Fails only where the kernel shows no descriptors, and has no close_range either.
    let _ = system::close_descriptors_except(&[]);
}

/// Whether the file at `path` is another than this process executes.
pub(super) fn is_another(path: &Path) -> bool {
    let identity = |path: &Path| {
        let file = path.metadata().ok()?;
        Some((file.dev(), file.ino()))
    };
    let there = identity(path);
    there.is_some() && there != identity(Path::new(SELF))
}
