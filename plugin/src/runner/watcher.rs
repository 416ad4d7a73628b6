//! Watching one hook from its start to its end, in a process of its own.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};

use super::capture::Capture;
use super::descendants::{kill_all, reap};
use super::hook::Started;
use crate::ledger::{Claim, LedgerError, Line, Outcome, Output};
use crate::select::FrozenHook;
use crate::system::in_a_copy;

/// The longest that is waited in one go.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Runs a hook that is on record as begun, until it has ended or its time is up, and puts that on
/// record too.
///
/// The work is done by a copy of this process, which shares the claim. If this process is killed,
/// the copy goes on: the hook keeps its limit, its end comes on record, and only then is the claim
/// free. If the copy is killed, the hook is killed with it and is on record as interrupted.
///
/// # Errors
/// The end could not be written to the record.
pub(super) fn run(
    claim: &mut Claim,
    index: usize,
    hook: &FrozenHook,
    state: &File,
    bundle: &str,
) -> Result<(), LedgerError> {
    let told = io::pipe().and_then(|(mut report, sender)| {
        let watcher = in_a_copy(|| watch_and_tell(claim, index, hook, state, bundle, sender))?;
        let mut line = Vec::new();
        let read = report.read_to_end(&mut line);
        wait_for(watcher);
        read.map(|_| line)
    });
    match told {
        Ok(line) => match serde_json::from_slice::<Line>(&line) {
            Ok(line) => {
                claim.heard(line);
                Ok(())
            }
            Err(_) => claim.ended(index, Outcome::Interrupted, Output::default(), Output::default()),
        },
        Err(error) => claim.ended(index, not_executed(&error), Output::default(), Output::default()),
    }
}

/// The watcher's whole life. `sender` is moved in, so that the hearer sees the end of it.
fn watch_and_tell(
    claim: &mut Claim,
    index: usize,
    hook: &FrozenHook,
    state: &File,
    bundle: &str,
    mut sender: PipeWriter,
) -> i32 {
    let (outcome, stdout, stderr) = watch(hook, state, bundle)
        .unwrap_or_else(|error| (not_executed(&error), Output::default(), Output::default()));
    if claim.ended(index, outcome, stdout, stderr).is_err() {
        return 1;
    }
    // Nobody listens if the runner was killed; the record says it all the same.
    let line = claim.record().lines.last().map(serde_json::to_vec);
    match line {
        Some(Ok(line)) if sender.write_all(&line).is_ok() => 0,
        _ => 1,
    }
}

fn watch(hook: &FrozenHook, state: &File, bundle: &str) -> io::Result<(Outcome, Output, Output)> {
    // What is sent to the runner's group is not meant for this process.
    let _ = setsid();
    set_child_subreaper(true)?;
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block()?;
    let children = SignalFd::with_flags(&ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let limit = hook.timeout.duration();
    let deadline = Instant::now() + limit;
    let started = Started::new(hook, state, bundle)?;
    let (mut stdout, mut stderr) = (Capture::new(started.stdout), Capture::new(started.stderr));
    let outcome = loop {
        if let Some(outcome) = outcome_of(started.pid) {
            let error = started.failure.into_error();
            break error.map_or(outcome, |error| not_executed(&error));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let left = kill_all();
            break Outcome::TimedOut {
                seconds: hook.timeout.seconds(),
                left,
            };
        }
        wait(&children, &stdout, &stderr, left);
        while let Ok(Some(_)) = children.read_signal() {}
        stdout.read();
        stderr.read();
    };
    Ok((outcome, stdout.finish(), stderr.finish()))
}

/// Waits until a child has ended, the hook has written something, or `left` has passed.
fn wait(children: &SignalFd, stdout: &Capture, stderr: &Capture, left: Duration) {
    let mut events = vec![PollFd::new(children.as_fd(), PollFlags::POLLIN)];
    for capture in [stdout, stderr] {
        events.extend(
            capture
                .stream()
                .map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)),
        );
    }
    // Rounded up: poll counts milliseconds, and one that returns early is called again at once.
    let left = left.min(LONGEST_WAIT) + Duration::from_millis(1);
    // An interrupted wait is a short one.
    let _ = poll(
        &mut events,
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
    );
}

/// How the process `pid` ended, if it has. Whatever else has ended is taken in on the way.
fn outcome_of(pid: Pid) -> Option<Outcome> {
    reap().into_iter().find_map(|status| match status {
        WaitStatus::Exited(who, status) if who == pid => Some(Outcome::Exited { status }),
        WaitStatus::Signaled(who, signal, _) if who == pid => Some(Outcome::Killed {
            signal: signal as i32,
        }),
        _ => None,
    })
}

fn wait_for(pid: Pid) {
    while waitpid(pid, None) == Err(nix::Error::EINTR) {}
}

fn not_executed(error: &io::Error) -> Outcome {
    Outcome::NotExecuted {
        reason: error.to_string(),
    }
}
