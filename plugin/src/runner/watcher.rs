//! Watching one hook from its start to its end, in a process of its own.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::forget;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, setsid};

use super::capture::Capture;
use super::descendants::{kill_all, reap};
use super::hook::Started;
use crate::ledger::{Claim, LedgerError, Line, Outcome, Output};
use crate::select::FrozenHook;
use crate::system::{close_descriptors_but, in_a_copy};
use crate::trust::TrustedFile;

/// The longest that is waited in one go.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How much longer than its hook a watcher may take. One that takes longer is stuck: the hook has
/// stopped it, or its file is on a file system that answers no more.
const GRACE: Duration = Duration::from_secs(3);

/// The copy of this process that watches a hook. When it has told how that ended, nothing is left for it
/// to do; who lets go of it waits until it is gone.
#[derive(Debug)]
pub(super) struct Watcher(Pid);

impl Watcher {
    /// Kills it and what the hook has started. Returns how many of those have not ended yet. It is not
    /// waited for: the kernel ends it when it can.
    fn give_up(self) -> usize {
        let left = kill_all(self.0);
        // Fails only if it has just gone.
        let _ = kill(self.0, Signal::SIGKILL);
        forget(self);
        left
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        while waitpid(self.0, None) == Err(Errno::EINTR) {}
    }
}

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
) -> Result<Option<Watcher>, LedgerError> {
    let (mut watcher, told) = match begin(claim, index, hook, state, bundle) {
        Ok((watcher, report)) => {
            let told = hear(report, Instant::now() + hook.timeout.duration() + GRACE);
            (Some(watcher), told)
        }
        Err(error) => (None, Err(error)),
    };
    let outcome = match told.map(|line| serde_json::from_slice::<Line>(&line)) {
        Ok(Ok(line)) => {
            claim.heard(line);
            return Ok(watcher);
        }
        Ok(Err(_)) => Outcome::Interrupted,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Outcome::TimedOut {
            seconds: hook.timeout.seconds(),
            left: watcher.take().map_or(0, Watcher::give_up),
        },
        Err(error) => not_executed(&error),
    };
    claim.ended(index, outcome, Output::default(), Output::default())?;
    Ok(watcher)
}

/// Makes the copy. Returns it, and that through which it will tell how the hook ended.
fn begin(
    claim: &mut Claim,
    index: usize,
    hook: &FrozenHook,
    state: &File,
    bundle: &str,
) -> io::Result<(Watcher, PipeReader)> {
    let (report, sender) = io::pipe()?;
    let pid = in_a_copy(|| {
        // What the runner holds ends with it: a start at the gate, and the hearing of this report.
        let kept = [claim.as_raw_fd(), state.as_raw_fd(), sender.as_raw_fd()];
        if close_descriptors_but(&kept).is_err() {
            return 1;
        }
        watch_and_tell(claim, index, hook, state, bundle, sender)
    })?;
    Ok((Watcher(pid), report))
}

/// The line that comes through `report`, or as much of it as there is when that is closed. Fails if
/// neither is by `deadline`.
fn hear(mut report: PipeReader, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut events = [PollFd::new(report.as_fd(), PollFlags::POLLIN)];
        match wait(&mut events, left) {
            // Looked at last: this process may have been stopped itself.
            0 if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            0 => continue,
            _ => {}
        }
        match report.read(&mut part)? {
            0 => return Ok(heard),
            length => heard.extend_from_slice(&part[..length]),
        }
        if heard.ends_with(b"\n") {
            return Ok(heard);
        }
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
    let tell = |line: &Line| -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        sender.write_all(&text)
    };
    let told = claim.record().lines.last().map(tell);
    i32::from(!matches!(told, Some(Ok(()))))
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
    // Held until it is executed: what it lies on may answer no more.
    let _trusted = match TrustedFile::to_execute(Path::new(&hook.path)) {
        Ok(trusted) => trusted,
        Err(error) => {
            let reason = format!("{error}; {}", error.help());
            return Ok((Outcome::Refused { reason }, Output::default(), Output::default()));
        }
    };
    let started = Started::new(hook, state, bundle)?;
    let (mut stdout, mut stderr) = (Capture::new(started.stdout), Capture::new(started.stderr));
    let outcome = loop {
        if let Some(outcome) = outcome_of(started.pid) {
            break outcome;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let left = kill_all(getpid());
            break Outcome::TimedOut {
                seconds: hook.timeout.seconds(),
                left,
            };
        }
        await_news(&children, &stdout, &stderr, left);
        while let Ok(Some(_)) = children.read_signal() {}
        stdout.read();
        stderr.read();
    };
    Ok((outcome, stdout.finish(), stderr.finish()))
}

/// Waits until a child has ended, the hook has written something, or `left` has passed.
fn await_news(children: &SignalFd, stdout: &Capture, stderr: &Capture, left: Duration) {
    let mut events = vec![PollFd::new(children.as_fd(), PollFlags::POLLIN)];
    for capture in [stdout, stderr] {
        events.extend(
            capture
                .stream()
                .map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)),
        );
    }
    wait(&mut events, left);
}

/// Waits for one of `events`, for `left` at the longest, or not so long. Returns how many there are.
fn wait(events: &mut [PollFd<'_>], left: Duration) -> i32 {
    // Rounded up: poll counts milliseconds, and one that returns early is called again at once.
    let left = left.min(LONGEST_WAIT) + Duration::from_millis(1);
    // An interrupted wait is a short one.
    poll(events, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)).unwrap_or(0)
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

fn not_executed(error: &io::Error) -> Outcome {
    Outcome::NotExecuted {
        reason: error.to_string(),
    }
}
