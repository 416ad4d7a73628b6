//! A poststart that was requested before init runs its program: a detached child of the runner holds the
//! start by the gate, waits for the right time, and runs the stage.
//!
//! runc up to 1.5 requests it during `create`; with `events` delivery the daemon does at NRI StartContainer.
//! The child has the claim from the start, so a runner of poststop waits for it. It ends when init ends.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::inotify::Inotify;
use nix::sys::time::TimeSpec;
use nix::unistd::close;

use super::container::Container;
use super::gate::Gate;
use super::stages;
use super::stat::Name;
use crate::ledger::{Claimed, LedgerError, StageResult, Trigger};
use crate::model::{Program, Stage};
use crate::process::{Init, Pidfd, detach_from_caller};
use crate::system::fork_child;

/// The bounds of the interval between checks whether init has executed its program, if there is no event for
/// that. Between them, it is a fraction of the time that has passed.
const POLL_INTERVAL: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(50));
const POLL_PART: u32 = 16;

/// The time for which an init without exec FIFO is checked. Some runtimes name a process that never executes
/// another program, such as that of a sandbox.
const EXEC_TIMEOUT: Duration = Duration::from_secs(10);

/// Forks a child that runs poststart at the right time. Returns when every later start waits for it; without
/// a `gate` no start waits.
///
/// # Errors
/// The kernel lacks processes or descriptors. Then the start does not wait.
pub(super) fn detach(container: &Container, by: Trigger, gate: Option<&Gate>) -> io::Result<()> {
    let (mut held, holder) = io::pipe()?;
    fork_child(|| run_detached(container, by, gate, &held, holder))?;
    // Ends without a byte if the child has nothing to hold.
    held.read(&mut [0]).map(drop)
}

/// The child's whole life.
fn run_detached(
    container: &Container,
    by: Trigger,
    gate: Option<&Gate>,
    held: &PipeReader,
    holder: PipeWriter,
) -> i32 {
    // Only the parent may have the reading end, through which it sees that the child has ended.
    let _ = close(held.as_raw_fd());
    if detach_from_caller().is_err() {
        return 1;
    }
    // The outcome is on record; no process reads it here.
    i32::from(hold_and_run(container, by, gate, holder).is_err())
}

fn hold_and_run(
    container: &Container,
    by: Trigger,
    gate: Option<&Gate>,
    mut holder: PipeWriter,
) -> Result<(), LedgerError> {
    let claim = match container.claim(Stage::Poststart, by)? {
        Claimed::Ours(claim) => claim,
        Claimed::Over(_) => return Ok(()),
    };
    // No process reads it if the caller was killed.
    let start = await_start(container, gate, || drop(holder.write_all(b".")));
    // Dropping this at the very end ends the hold.
    let _held = match start {
        Start::Held(held) => Some(held),
        Start::NotHeld(reason) => {
            container.directory.note_not_held(Stage::Poststart, reason)?;
            None
        }
        Start::Never(reason) => {
            let reason = reason.to_owned();
            return claim.finish(StageResult::Skipped { reason }).map(drop);
        }
    };
    let result = stages::poststart(container, claim, by);
    container.guard_left();
    result
}

/// The result of waiting for the start.
#[derive(Debug)]
enum Start {
    /// init has executed its program, and the start waits until this is dropped.
    Held(Held),
    /// init has executed its program, and no start waits.
    NotHeld(&'static str),
    /// init has ended before it executed its program.
    Never(&'static str),
}

/// A held start. The fields are dropped in their order.
#[derive(Debug)]
struct Held {
    /// The FIFO, open for writing. Dropping it lets the start return.
    _gate: File,
    /// Last, because closing it waits for the kernel's readers: neither the hooks nor the start must wait for that.
    _closing: nix::Result<Inotify>,
}

/// Waits until init executes its program or ends. Calls `ready` when every later start is held.
fn await_start(container: &Container, gate: Option<&Gate>, ready: impl FnOnce()) -> Start {
    const GONE: &str = "its init ended before it ran the container's program";
    const NOT_OPENED: &str = "its exec FIFO could not be opened";
    let Some(watched) = container.init().and_then(|init| Watched::new(init, container)) else {
        return Start::Never(GONE);
    };
    let not_held = |reason| match watched.await_exec_by_polling() {
        true => Start::NotHeld(reason),
        false => Start::Never(GONE),
    };
    let Some(gate) = gate else {
        ready();
        return not_held("its OCI runtime has no exec FIFO by which a start can be held");
    };
    // Before the start: init may close the FIFO at once, and execute its program later.
    let closing = gate.closing();
    let holding = gate.hold();
    ready();
    let Ok(holding) = holding else {
        return not_held(NOT_OPENED);
    };
    wait(&mut [readable(&holding.opened()), readable(&watched.end)], None);
    if watched.end.has_ended() && !gate.has_reader() {
        // No start was requested, and the thread would wait forever.
        gate.abandon();
        return Start::Never("the container was never started");
    }
    let Ok(file) = holding.into_file() else {
        return not_held(NOT_OPENED);
    };
    let has_run = match &closing {
        Ok(closing) => watched.await_exec_by(closing),
        Err(_) => watched.await_exec_by_polling(),
    };
    match has_run {
        true => Start::Held(Held {
            _gate: file,
            _closing: closing,
        }),
        false => Start::Never(GONE),
    }
}

/// An init, and the facts that show whether it has executed its program.
struct Watched {
    init: Init,
    end: Pidfd,
    program: Option<Program>,
    name: Option<Name>,
}

impl Watched {
    /// `None` if it has ended.
    fn new(init: Init, container: &Container) -> Option<Watched> {
        // The current program may already be the container's own.
        let seen = init.program();
        Some(Watched {
            init,
            end: init.pidfd().ok().flatten()?,
            program: container.program_before().or(seen),
            name: init.name(),
        })
    }

    /// Whether it has executed its program, as far as that can be seen now.
    fn has_executed(&self) -> bool {
        match (self.init.program(), self.program) {
            (Some(now), Some(before)) if now != before => true,
            // It may execute the same file as its OCI runtime, or it has ended: then only its name can
            // differ.
            _ => self.init.name().is_none_or(|name| Some(name) != self.name),
        }
    }

    /// Waits until it executes its program, which closes the FIFO, or ends. Returns whether it has executed
    /// it; true if that is unknown.
    fn await_exec_by(&self, closing: &Inotify) -> bool {
        // The check comes first: it may have happened before this process watched.
        while !self.has_executed() && !self.end.has_ended() {
            wait(&mut [readable(closing), readable(&self.end)], None);
            if closing.read_events().is_ok() {
                // The kernel reports the close, but not the exec that follows at once.
                return self.await_exec_by_polling();
            }
        }
        self.has_executed()
    }

    /// The same without an event: repeated checks, for a limited time.
    fn await_exec_by_polling(&self) -> bool {
        let began = Instant::now();
        while !self.has_executed() && !self.end.has_ended() && began.elapsed() < EXEC_TIMEOUT {
            let (shortest, longest) = POLL_INTERVAL;
            let pause = (began.elapsed() / POLL_PART).clamp(shortest, longest);
            wait(&mut [readable(&self.end)], Some(pause));
        }
        !self.end.has_ended() || self.has_executed()
    }
}

fn readable(what: &impl AsFd) -> PollFd<'_> {
    PollFd::new(what.as_fd(), PollFlags::POLLIN)
}

/// Waits until one of `events` happens, or `limit` has passed.
fn wait(events: &mut [PollFd<'_>], limit: Option<Duration>) {
    // An interrupted wait is a short one: callers check again.
    let _ = ppoll(events, limit.map(TimeSpec::from), None);
}
