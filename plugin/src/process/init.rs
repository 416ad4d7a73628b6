//! Process 1 of a container, seen from the host.

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

/// How often is looked at first whether a process has executed another program, of which the kernel tells
/// no one, and how often after a while: a part of the time that has passed, between these two. A node
/// that starts hundreds of containers at once is not to be kept busy by looking.
const OFTEN: Duration = Duration::from_micros(100);
const RARELY: Duration = Duration::from_millis(10);
const PART: u32 = 16;

/// The process with this number now; `None` if there is none, or it has ended.
pub fn process(pid: i32) -> Option<ProcessId> {
    let stat = Stat::of(pid).filter(|stat| !stat.has_ended())?;
    let started = stat.started;
    Some(ProcessId { pid, started })
}

/// Process 1 of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Init(ProcessId);

impl Init {
    /// This process.
    pub fn new(process: ProcessId) -> Init {
        Init(process)
    }

    /// The process that `created` names; `None` if it names none.
    pub fn of(created: &Created) -> Option<Init> {
        created.process.map(Init)
    }

    /// Whether it lives.
    pub fn is_alive(self) -> bool {
        process(self.0.pid) == Some(self.0)
    }

    /// Which process it is.
    pub fn process(self) -> ProcessId {
        self.0
    }

    /// Its number, if it lives.
    pub fn pid(self) -> Option<i32> {
        self.is_alive().then_some(self.0.pid)
    }

    /// The number of the process above it; `None` if it is gone.
    pub fn parent(self) -> Option<i32> {
        Stat::of(self.0.pid).map(|stat| stat.parent)
    }

    /// What it executes now; `None` if it is gone.
    pub fn program(self) -> Option<Program> {
        self.program_of_number().filter(|_| self.is_alive())
    }

    /// What whoever has its number executes now.
    fn program_of_number(self) -> Option<Program> {
        let file = fs::metadata(format!("/proc/{}/exe", self.0.pid)).ok()?;
        Some(Program {
            device: file.dev(),
            inode: file.ino(),
        })
    }

    /// The name of its program; `None` if it is gone.
    pub(crate) fn name(self) -> Option<Name> {
        let stat = Stat::of(self.0.pid)?;
        (stat.started == self.0.started).then_some(stat.name)
    }

    /// A descriptor that tells when it ends; `None` if it has.
    ///
    /// # Errors
    /// As [`Pidfd::open`].
    pub fn pidfd(self) -> io::Result<Option<Pidfd>> {
        Pidfd::open(self.0)
    }

    /// Waits until it executes something else than `before`, is gone, or `limit` has passed. Returns
    /// whether it does.
    pub(crate) fn await_exec(self, before: Program, limit: Duration) -> bool {
        let began = Instant::now();
        while self.program_of_number() == Some(before) && began.elapsed() < limit {
            sleep((began.elapsed() / PART).clamp(OFTEN, RARELY));
        }
        self.program().is_some_and(|program| program != before)
    }

    /// Asks it to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Kills it.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        // Fails only if it has just gone.
        let _ = signal::send(self.0.pid, self.0.started, signal);
    }
}
