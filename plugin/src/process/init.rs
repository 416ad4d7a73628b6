//! The init process of a container, seen from the host.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Pidfd;
use super::signal;
use super::stat::{Name, Stat};
use crate::ledger::Created;
use crate::model::{ProcessId, Program};

/// The bounds of the interval between checks whether a process has executed another program, which the kernel
/// does not report. Between them, it is a fraction of the time that has passed. So a node that starts
/// hundreds of containers at once is not busy with checks.
const MIN_POLL_INTERVAL: Duration = Duration::from_micros(100);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(10);
const POLLS: u32 = 16;

/// The process with this number now; `None` if there is none, or it has ended.
pub(crate) fn process(pid: i32) -> Option<ProcessId> {
    let stat = Stat::of(pid).filter(|stat| !stat.has_ended())?;
    let started = stat.started;
    Some(ProcessId { pid, started })
}

/// The init process of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Init(ProcessId);

impl Init {
    /// This process.
    pub(crate) fn new(process: ProcessId) -> Init {
        Init(process)
    }

    /// The process that `created` names; `None` if it names none.
    pub(crate) fn of(created: &Created) -> Option<Init> {
        created.process.map(Init)
    }

    /// Whether it is alive.
    pub(crate) fn is_alive(self) -> bool {
        process(self.0.pid) == Some(self.0)
    }

    /// Its identity.
    pub(crate) fn process(self) -> ProcessId {
        self.0
    }

    /// Its number, if it is alive.
    pub(crate) fn pid(self) -> Option<i32> {
        self.is_alive().then_some(self.0.pid)
    }

    /// The number of its parent; `None` if it has ended.
    pub(crate) fn parent(self) -> Option<i32> {
        Stat::of(self.0.pid).map(|stat| stat.parent)
    }

    /// Its current program; `None` if it has ended.
    pub(crate) fn program(self) -> Option<Program> {
        self.program_of_number().filter(|_| self.is_alive())
    }

    /// The current program of the process with its number, which may be another process.
    fn program_of_number(self) -> Option<Program> {
        let file = fs::metadata(format!("/proc/{}/exe", self.0.pid)).ok()?;
        Some(Program {
            device: file.dev(),
            inode: file.ino(),
        })
    }

    /// The name of its program; `None` if it has ended.
    pub(crate) fn name(self) -> Option<Name> {
        let stat = Stat::of(self.0.pid)?;
        (stat.started == self.0.started).then_some(stat.name)
    }

    /// A descriptor that becomes readable when it ends; `None` if it has ended.
    ///
    /// # Errors
    /// As [`Pidfd::open`].
    pub(crate) fn pidfd(self) -> io::Result<Option<Pidfd>> {
        Pidfd::open(self.0)
    }

    /// Waits until it executes a program other than `before`, ends, or `limit` has passed. Returns whether it
    /// executes another program.
    pub(crate) fn await_exec(self, before: Program, limit: Duration) -> bool {
        let began = Instant::now();
        while self.program_of_number() == Some(before) && began.elapsed() < limit {
            sleep((began.elapsed() / POLLS).clamp(MIN_POLL_INTERVAL, MAX_POLL_INTERVAL));
        }
        self.program().is_some_and(|program| program != before)
    }

    /// Sends it SIGTERM.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Kills it.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        // Fails only if the process has just ended.
        let _ = signal::send(self.0.pid, self.0.started, signal);
    }
}
