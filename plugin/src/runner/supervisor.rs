//! The supervisor watches one hook from its start to its end, in a process of its own.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::forget;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, setsid};

use super::capture::Capture;
use super::guard::{END_TIMEOUT, Left};
use super::hook::Started;
use crate::ledger::{Claim, LedgerError, Line, Outcome, Output};
use crate::model::ResolvedHook;
use crate::process::cgroup::{Group, GroupName};
use crate::process::descendants::{kill_all, reap};
use crate::process::{detach_from_caller, signal};
use crate::system::{close_descriptors_except, fork_child};
use crate::trust::TrustedFile;

/// The longest single wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The time after the supervisor's deadline at which the runner kills the hook's processes. This happens only
/// if the supervisor is stuck: the hook has stopped it, or its file is on a file system that no longer
/// answers.
const RUNNER_KILLS_AFTER: Duration = Duration::from_millis(250);

/// The time after the hook's deadline by which the supervisor must report. After that, it is given up.
const GRACE: Duration = Duration::from_secs(2);

/// One hook to run.
#[derive(Debug)]
pub(super) struct Job<'j> {
    /// Its index in the stage's list.
    pub(super) index: usize,
    pub(super) hook: &'j ResolvedHook,
    /// Its stdin.
    pub(super) state: &'j File,
    /// Its working directory.
    pub(super) bundle: &'j str,
    /// The name of its control group.
    pub(super) group: GroupName,
}

/// A hook's run, with its bounds.
struct Run<'r> {
    job: &'r Job<'r>,
    /// Absent if the node has no usable control groups: then its descendants are killed one by one.
    group: Option<Group>,
    deadline: Instant,
}

/// The forked child of this process that watches a hook. After its report, it has nothing left to do;
/// dropping this waits until it has ended.
#[derive(Debug)]
pub(super) struct Supervisor(Pid);

impl Supervisor {
    /// Kills it and the hook's processes. Returns how many of those have not ended yet. It is not waited for:
    /// the kernel ends it when it can.
    fn give_up(self, run: &Run<'_>) -> usize {
        let left = run.kill(self.0);
        if let Some(supervisor) = crate::process::process(self.0.as_raw()) {
            // Fails only if the process has just ended.
            let _ = signal::send(supervisor.pid, supervisor.started, rustix::process::Signal::KILL);
        }
        forget(self);
        left
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        while waitpid(self.0, None) == Err(Errno::EINTR) {}
    }
}

impl Run<'_> {
    /// Kills the hook's processes: its group, and those below `root` that have left the group, which they can
    /// as root. Returns how many have not ended yet.
    fn kill(&self, root: Pid) -> usize {
        let left = self.group.as_ref().map_or(0, |group| group.kill(END_TIMEOUT));
        kill_all(root).max(left)
    }

    fn timed_out(&self, left: usize) -> Outcome {
        let seconds = self.job.hook.timeout.seconds();
        Outcome::TimedOut { seconds, left }
    }

    /// The outcome `ended` with the bound that caused it, if any.
    fn explain(&self, ended: Outcome) -> Outcome {
        let limits = &self.job.hook.limits;
        let Some(group) = &self.group else { return ended };
        if let Some(memory) = limits.memory.filter(|_| !ended.is_success())
            && group.out_of_memory() > 0
        {
            return Outcome::OutOfMemory { memory: memory.get() };
        }
        if group.out_of_processes() == 0 || (ended.is_success() && group.is_empty()) {
            return ended;
        }
        // Its leftover processes would continue at the limit forever.
        group.kill(END_TIMEOUT);
        Outcome::ProcessLimit {
            processes: limits.processes.get(),
            end: Box::new(ended),
        }
    }
}

/// Runs a hook that is on record as begun, until it has ended or its timeout is over, and records its end.
///
/// A forked child of this process does the work, and shares the claim. If this process is killed, the child
/// continues: the hook keeps its limit, its end is recorded, and only then is the claim free. If the child is
/// killed, the hook is killed with it and recorded as interrupted.
///
/// Returns the child, and the hook's leftover processes.
///
/// # Errors
/// The end could not be written to the record.
pub(super) fn run(
    claim: &mut Claim,
    job: &Job<'_>,
) -> Result<(Option<Supervisor>, Option<Left>), LedgerError> {
    let run = Run {
        job,
        group: Group::create(job.group.clone(), job.hook.limits).ok(),
        deadline: Instant::now() + job.hook.timeout.duration(),
    };
    let supervisor = run_in_group(claim, &run)?;
    let deadline = run.deadline;
    let left = run.group.filter(|group| !group.remove());
    Ok((supervisor, left.map(|group| Left { group, deadline })))
}

fn run_in_group(claim: &mut Claim, run: &Run<'_>) -> Result<Option<Supervisor>, LedgerError> {
    let (mut supervisor, report) = match begin(claim, run) {
        Ok((supervisor, report)) => {
            let kill = || run.group.as_ref().map(|group| group.kill(Duration::ZERO));
            (Some(supervisor), await_report(report, run.deadline, kill))
        }
        Err(error) => (None, Report::Failed(error)),
    };
    let outcome = match report {
        Report::Ended(line) => {
            claim.received(line);
            return Ok(supervisor);
        }
        Report::Died => {
            // The hook has ended with its supervisor, but not the processes that it has started.
            if let Some(group) = &run.group {
                group.kill(END_TIMEOUT);
            }
            Outcome::Interrupted
        }
        Report::Missing => {
            let left = supervisor.take().map_or(0, |supervisor| supervisor.give_up(run));
            run.explain(run.timed_out(left))
        }
        Report::Failed(error) => not_executed(&error),
    };
    claim.ended(run.job.index, outcome, Output::default(), Output::default())?;
    Ok(supervisor)
}

/// Ends the leftover processes of a hook whose runner and supervisor have died, in the group called `name`.
pub(super) fn end_interrupted(name: GroupName) {
    if let Some(group) = Group::find(name) {
        group.kill(END_TIMEOUT);
        group.remove();
    }
}

/// Forks the child. Returns it, and the pipe for its report of the hook's end.
fn begin(claim: &mut Claim, run: &Run<'_>) -> io::Result<(Supervisor, PipeReader)> {
    let (report, sender) = io::pipe()?;
    let pid = fork_child(|| {
        // The child must not hold the runner's descriptors: a held start, and the reading end of this report.
        let needed = [claim.as_raw_fd(), run.job.state.as_raw_fd(), sender.as_raw_fd()];
        if close_descriptors_except(&needed).is_err() {
            return 1;
        }
        // The caller may wait until these are closed, which must not depend on this process.
        let _ = detach_from_caller();
        supervise(claim, run, sender)
    })?;
    Ok((Supervisor(pid), report))
}

/// The runner's knowledge of a hook, by its supervisor.
#[derive(Debug)]
enum Report {
    /// It has ended, and the supervisor has recorded that.
    Ended(Line),
    /// The supervisor has ended without a complete report.
    Died,
    /// No report came in time.
    Missing,
    /// The supervisor was not started, or its report cannot be read.
    Failed(io::Error),
}

/// The report about a hook with this `deadline`. If it does not come in time, `kill` kills the hook's
/// processes; then the supervisor has a while to report that.
fn await_report<K>(mut report: PipeReader, deadline: Instant, kill: impl FnOnce() -> K) -> Report {
    let mut received = Vec::new();
    let mut read = |until| read_report(&mut report, &mut received, until);
    let is_there = match read(deadline + RUNNER_KILLS_AFTER) {
        Ok(false) => {
            kill();
            read(deadline + GRACE)
        }
        first => first,
    };
    match is_there {
        Ok(true) => serde_json::from_slice(&received).map_or(Report::Died, Report::Ended),
        Ok(false) => Report::Missing,
        Err(error) => Report::Failed(error),
    }
}

/// Reads the line from `report`, or as much of it as there is when that is closed. Returns whether that
/// happens by `deadline`.
fn read_report(report: &mut PipeReader, received: &mut Vec<u8>, deadline: Instant) -> io::Result<bool> {
    let mut part = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut events = [PollFd::new(report.as_fd(), PollFlags::POLLIN)];
        match wait(&mut events, left) {
            // The time is checked last: this process may have been stopped itself.
            0 if left.is_zero() => return Ok(false),
            0 => continue,
            _ => {}
        }
        match report.read(&mut part)? {
            0 => return Ok(true),
            length => received.extend_from_slice(&part[..length]),
        }
        if received.ends_with(b"\n") {
            return Ok(true);
        }
    }
}

/// The supervisor's whole life. `sender` is moved in, so that the reader sees its end.
fn supervise(claim: &mut Claim, run: &Run<'_>, mut sender: PipeWriter) -> i32 {
    let (outcome, stdout, stderr) =
        watch(run).unwrap_or_else(|error| (not_executed(&error), Output::default(), Output::default()));
    if claim.ended(run.job.index, outcome, stdout, stderr).is_err() {
        return 1;
    }
    // No process reads it if the runner was killed; the record has it too.
    let send = |line: &Line| -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        sender.write_all(&text)
    };
    let sent = claim.record().lines.last().map(send);
    i32::from(!matches!(sent, Some(Ok(()))))
}

fn watch(run: &Run<'_>) -> io::Result<(Outcome, Output, Output)> {
    // Signals to the runner's group are not meant for this process.
    let _ = setsid();
    set_child_subreaper(true)?;
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block()?;
    let children = SignalFd::with_flags(&ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let Job {
        hook, state, bundle, ..
    } = *run.job;
    // Held until it is executed: its file system may no longer answer.
    let _trusted = match TrustedFile::to_execute(Path::new(hook.program())) {
        Ok(trusted) => trusted,
        Err(error) => {
            let reason = format!("{error}; {}", error.help());
            return Ok((Outcome::Refused { reason }, Output::default(), Output::default()));
        }
    };
    let started = Started::new(hook, run.group.as_ref(), state, bundle)?;
    let (mut stdout, mut stderr) = (Capture::new(started.stdout), Capture::new(started.stderr));
    let outcome = loop {
        let ended = outcome_of(started.pid, reap());
        let left = run.deadline.saturating_duration_since(Instant::now());
        match turn(ended, left) {
            Turn::Ended(outcome) => break outcome,
            Turn::TimedOut => break run.timed_out(run.kill(getpid())),
            Turn::Wait => await_activity(&children, &stdout, &stderr, left),
        }
        while let Ok(Some(_)) = children.read_signal() {}
        stdout.read();
        stderr.read();
    };
    Ok((run.explain(outcome), stdout.finish(), stderr.finish()))
}

/// The next step of a supervisor.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// The hook has ended.
    Ended(Outcome),
    /// Its processes are killed.
    TimedOut,
    Wait,
}

/// The step when the hook has `ended` or not, and then so much of its time is `left`.
fn turn(ended: Option<Outcome>, left: Duration) -> Turn {
    match ended {
        // The runner has killed it after the deadline of this process.
        Some(Outcome::Killed { signal }) if left.is_zero() && signal == Signal::SIGKILL as i32 => {
            Turn::TimedOut
        }
        Some(outcome) => Turn::Ended(outcome),
        None if left.is_zero() => Turn::TimedOut,
        None => Turn::Wait,
    }
}

/// Waits until a child has ended, the hook has written output, or `left` has passed.
fn await_activity(children: &SignalFd, stdout: &Capture, stderr: &Capture, left: Duration) {
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

/// Waits for one of `events`, at most for `left`, and possibly shorter. Returns how many there are.
fn wait(events: &mut [PollFd<'_>], left: Duration) -> i32 {
    // Rounded up: poll counts milliseconds, and a wait that returns early is repeated at once.
    let left = left.min(LONGEST_WAIT) + Duration::from_millis(1);
    // An interrupted wait is a short one.
    poll(events, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)).unwrap_or(0)
}

/// The outcome of the process `pid`, if it is among the `reaped` ones.
fn outcome_of(pid: Pid, reaped: Vec<WaitStatus>) -> Option<Outcome> {
    reaped.into_iter().find_map(|status| match status {
        WaitStatus::Exited(child, status) if child == pid => Some(Outcome::Exited { status }),
        WaitStatus::Signaled(child, signal, _) if child == pid => Some(Outcome::Killed {
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
