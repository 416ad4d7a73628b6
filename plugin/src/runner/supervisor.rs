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
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, setsid};

use super::capture::Capture;
use super::guard::{ENDING, Left};
use super::hook::Started;
use crate::ledger::{Claim, LedgerError, Line, Outcome, Output};
use crate::model::ResolvedHook;
use crate::process::cgroup::{Group, GroupName};
use crate::process::descendants::{kill_all, reap};
use crate::process::{let_go_of_caller, signal};
use crate::system::{close_descriptors_but, in_a_copy};
use crate::trust::TrustedFile;

/// The longest that is waited in one go.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How much later than its hook's supervisor the runner ends what the hook has started. It does so only if
/// the supervisor is stuck: the hook has stopped it, or its file is on a file system that answers no more.
const RUNNER_KILLS_AFTER: Duration = Duration::from_millis(250);

/// How much longer than its hook a supervisor may take to say so. One that takes longer is given up.
const GRACE: Duration = Duration::from_secs(2);

/// One hook that is to be run.
#[derive(Debug)]
pub(super) struct Job<'j> {
    /// Its index in the stage's list.
    pub(super) index: usize,
    pub(super) hook: &'j ResolvedHook,
    /// What it gets on stdin.
    pub(super) state: &'j File,
    /// The directory that it begins in.
    pub(super) bundle: &'j str,
    /// The name of its control group.
    pub(super) group: GroupName,
}

/// A hook that is being run, and what bounds it.
struct Run<'r> {
    job: &'r Job<'r>,
    /// Absent where the node has no usable control groups: then its descendants are killed one by one.
    group: Option<Group>,
    deadline: Instant,
}

/// The copy of this process that watches a hook. When it has told how that ended, nothing is left for it
/// to do; who lets go of it waits until it is gone.
#[derive(Debug)]
pub(super) struct Supervisor(Pid);

impl Supervisor {
    /// Kills it and what the hook has started. Returns how many of those have not ended yet. It is not
    /// waited for: the kernel ends it when it can.
    fn give_up(self, run: &Run<'_>) -> usize {
        let left = run.kill(self.0);
        if let Some(supervisor) = crate::process::process(self.0.as_raw()) {
            // Fails only if it has just gone.
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
    /// Kills what the hook has started: its group, and those of its processes that have left that, which it
    /// can as root, as long as they are below `root`. Returns how many have not ended yet.
    fn kill(&self, root: Pid) -> usize {
        let left = self.group.as_ref().map_or(0, |group| group.kill(ENDING));
        kill_all(root).max(left)
    }

    fn timed_out(&self, left: usize) -> Outcome {
        let seconds = self.job.hook.timeout.seconds();
        Outcome::TimedOut { seconds, left }
    }

    /// What the end of the hook, `ended`, has to do with its bounds.
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
        // What it has left behind would go on at its limit for ever.
        group.kill(ENDING);
        Outcome::ProcessLimit {
            processes: limits.processes.get(),
            end: Box::new(ended),
        }
    }
}

/// Runs a hook that is on record as begun, until it has ended or its time is up, and puts that on
/// record too.
///
/// The work is done by a copy of this process, which shares the claim. If this process is killed,
/// the copy goes on: the hook keeps its limit, its end comes on record, and only then is the claim
/// free. If the copy is killed, the hook is killed with it and is on record as interrupted.
///
/// Returns the copy, and what the hook has left behind.
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
    let (mut supervisor, told) = match begin(claim, run) {
        Ok((supervisor, report)) => (Some(supervisor), hear_within_bounds(report, run)),
        Err(error) => (None, Err(error)),
    };
    let outcome = match told.map(|line| serde_json::from_slice::<Line>(&line)) {
        Ok(Ok(line)) => {
            claim.received(line);
            return Ok(supervisor);
        }
        Ok(Err(_)) => {
            // The hook has gone with its supervisor, but not what it has started.
            if let Some(group) = &run.group {
                group.kill(ENDING);
            }
            Outcome::Interrupted
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            let left = supervisor.take().map_or(0, |supervisor| supervisor.give_up(run));
            run.explain(run.timed_out(left))
        }
        Err(error) => not_executed(&error),
    };
    claim.ended(run.job.index, outcome, Output::default(), Output::default())?;
    Ok(supervisor)
}

/// Ends what is left of a hook whose runner and supervisor have died: what is in the group called `name`.
pub(super) fn end_interrupted(name: GroupName) {
    if let Some(group) = Group::find(name) {
        group.kill(ENDING);
        group.remove();
    }
}

/// Makes the copy. Returns it, and that through which it will tell how the hook ended.
fn begin(claim: &mut Claim, run: &Run<'_>) -> io::Result<(Supervisor, PipeReader)> {
    let (report, sender) = io::pipe()?;
    let pid = in_a_copy(|| {
        // What the runner holds ends with it: a start at the gate, and the hearing of this report.
        let kept = [claim.as_raw_fd(), run.job.state.as_raw_fd(), sender.as_raw_fd()];
        if close_descriptors_but(&kept).is_err() {
            return 1;
        }
        // What the caller waits for the end of is not to stay open for as long as this process is stuck.
        let _ = let_go_of_caller();
        watch_and_tell(claim, run, sender)
    })?;
    Ok((Supervisor(pid), report))
}

/// What the supervisor of `run` tells. If it tells nothing in time, what the hook has started is killed; then
/// the supervisor has a while to tell that.
fn hear_within_bounds(mut report: PipeReader, run: &Run<'_>) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    let late = hear(&mut report, &mut heard, run.deadline + RUNNER_KILLS_AFTER);
    match late {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            if let Some(group) = &run.group {
                group.kill(Duration::ZERO);
            }
            hear(&mut report, &mut heard, run.deadline + GRACE)?;
        }
        result => result?,
    }
    Ok(heard)
}

/// Reads the line that comes through `report`, or as much of it as there is when that is closed. Fails if
/// neither is by `deadline`.
fn hear(report: &mut PipeReader, heard: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
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
            0 => return Ok(()),
            length => heard.extend_from_slice(&part[..length]),
        }
        if heard.ends_with(b"\n") {
            return Ok(());
        }
    }
}

/// The supervisor's whole life. `sender` is moved in, so that the hearer sees the end of it.
fn watch_and_tell(claim: &mut Claim, run: &Run<'_>, mut sender: PipeWriter) -> i32 {
    let (outcome, stdout, stderr) =
        watch(run).unwrap_or_else(|error| (not_executed(&error), Output::default(), Output::default()));
    if claim.ended(run.job.index, outcome, stdout, stderr).is_err() {
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

fn watch(run: &Run<'_>) -> io::Result<(Outcome, Output, Output)> {
    // What is sent to the runner's group is not meant for this process.
    let _ = setsid();
    set_child_subreaper(true)?;
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block()?;
    let children = SignalFd::with_flags(&ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let Job {
        hook, state, bundle, ..
    } = *run.job;
    // Held until it is executed: what it lies on may answer no more.
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
        let outcome = outcome_of(started.pid);
        let left = run.deadline.saturating_duration_since(Instant::now());
        match outcome {
            // The runner has killed it because this process was late.
            Some(Outcome::Killed { signal }) if left.is_zero() && signal == Signal::SIGKILL as i32 => {}
            Some(outcome) => break outcome,
            None => {}
        }
        if left.is_zero() {
            break run.timed_out(run.kill(getpid()));
        }
        await_news(&children, &stdout, &stderr, left);
        while let Ok(Some(_)) = children.read_signal() {}
        stdout.read();
        stderr.read();
    };
    Ok((run.explain(outcome), stdout.finish(), stderr.finish()))
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
