//! The decisions of runner and supervisor about a hook, on pipes and files, without processes.

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::{HookLimits, Stage, Timestamp};
use crate::runner::tests::{SUCCESS, failures, hook};

/// A hook's group whose files are in a private directory.
struct Files {
    _root: tempfile::TempDir,
    hook: ResolvedHook,
    group: Option<Group>,
    directory: PathBuf,
}

const KILLED: &str = "cgroup.kill";

impl Files {
    fn new(limits: HookLimits) -> Files {
        let root = tempfile::tempdir().unwrap();
        let group = Group::for_test(root.path(), name(), limits);
        let directory = group.directories().next().unwrap().to_owned();
        fs::write(directory.join(KILLED), "").unwrap();
        Files {
            _root: root,
            hook: ResolvedHook {
                limits,
                ..hook(false)
            },
            group: Some(group),
            directory,
        }
    }

    fn with(self, file: &str, text: &str) -> Files {
        fs::write(self.directory.join(file), text).unwrap();
        self
    }

    /// The result of [`Run::explain`], and whether it has killed the group.
    fn explain(mut self, ended: Outcome) -> (Outcome, bool) {
        let job = Job {
            index: 0,
            hook: &self.hook,
            state: &tempfile::tempfile().unwrap(),
            bundle: "",
            group: name(),
        };
        let run = Run {
            job: &job,
            group: self.group.take(),
            deadline: Instant::now(),
        };
        let outcome = run.explain(ended);
        let killed = fs::read_to_string(self.directory.join(KILLED)).unwrap();
        (outcome, !killed.is_empty())
    }
}

fn name() -> GroupName {
    GroupName::new("test", Stage::Prestart, 0, 1)
}

fn limits(memory: Option<u64>) -> HookLimits {
    HookLimits {
        processes: NonZeroU32::new(5).unwrap(),
        memory: memory.and_then(NonZeroU64::new),
        ..HookLimits::default()
    }
}

const MEMORY: u64 = 1 << 20;
const OUT_OF_MEMORY: (&str, &str) = ("memory.events", "oom 1\noom_kill 1\n");
const OUT_OF_PROCESSES: (&str, &str) = ("pids.events", "max 3\n");

#[test]
fn a_hook_whose_group_has_reached_no_limit_keeps_its_outcome() {
    for ended in failures().into_iter().chain([SUCCESS]) {
        for memory in [None, Some(MEMORY)] {
            let files = Files::new(limits(memory)).with("memory.events", "oom_kill 0\n");
            let found = files.with("pids.events", "max 0\n").explain(ended.clone());
            assert_eq!(found, (ended.clone(), false));
        }
    }
}

#[test]
fn a_failed_hook_of_a_group_without_memory_has_run_out_of_it() {
    for ended in failures() {
        let (file, text) = OUT_OF_MEMORY;
        let found = Files::new(limits(Some(MEMORY)))
            .with(file, text)
            .explain(ended.clone());
        assert_eq!(found, (Outcome::OutOfMemory { memory: MEMORY }, false));
        let found = Files::new(limits(None)).with(file, text).explain(ended.clone());
        assert_eq!(found, (ended, false), "it has no limit");
    }
    let (file, text) = OUT_OF_MEMORY;
    let found = Files::new(limits(Some(MEMORY))).with(file, text).explain(SUCCESS);
    assert_eq!(found, (SUCCESS, false), "it managed without");
}

#[test]
fn a_hook_that_has_reached_its_limit_of_processes_has_failed_unless_it_managed_without() {
    let (file, text) = OUT_OF_PROCESSES;
    let reached = || Files::new(limits(Some(MEMORY))).with(file, text);
    let limit = |end: Outcome| Outcome::ProcessLimit {
        processes: 5,
        end: Box::new(end),
    };
    for ended in failures() {
        assert_eq!(reached().explain(ended.clone()), (limit(ended), true));
    }
    assert_eq!(
        reached().explain(SUCCESS),
        (SUCCESS, false),
        "none of its processes is left"
    );
    // A number that no process has (PID_MAX_LIMIT).
    let left = reached().with("cgroup.procs", "999999999\n");
    assert_eq!(
        left.explain(SUCCESS),
        (limit(SUCCESS), true),
        "one goes on at the limit"
    );
}

#[test]
fn memory_explains_a_failure_before_processes_do() {
    let files = Files::new(limits(Some(MEMORY)));
    let files = files.with(OUT_OF_MEMORY.0, OUT_OF_MEMORY.1);
    let (outcome, _) = files
        .with(OUT_OF_PROCESSES.0, OUT_OF_PROCESSES.1)
        .explain(Outcome::Killed { signal: 9 });
    assert_eq!(outcome, Outcome::OutOfMemory { memory: MEMORY });
}

#[test]
fn without_a_group_an_outcome_is_as_it_is() {
    for ended in failures().into_iter().chain([SUCCESS]) {
        let mut files = Files::new(limits(Some(MEMORY)));
        files.group = None;
        assert_eq!(files.explain(ended.clone()), (ended, false));
    }
}

/// Every outcome that a supervisor can see.
fn seen() -> Vec<Outcome> {
    let exited = [0, 1, 127].map(|status| Outcome::Exited { status });
    let killed = [1, 9, 15].map(|signal| Outcome::Killed { signal });
    exited.into_iter().chain(killed).collect()
}

const SIGKILL: Outcome = Outcome::Killed {
    signal: Signal::SIGKILL as i32,
};

#[test]
fn a_hook_runs_until_it_has_ended_or_its_time_is_over() {
    let left = Duration::from_nanos(1);
    assert_eq!(turn(None, left), Turn::Wait);
    assert_eq!(turn(None, Duration::ZERO), Turn::TimedOut);
    for outcome in seen() {
        assert_eq!(turn(Some(outcome.clone()), left), Turn::Ended(outcome));
    }
}

#[test]
fn at_the_deadline_a_hook_that_was_killed_has_timed_out_and_another_has_ended() {
    for outcome in seen() {
        let turn = turn(Some(outcome.clone()), Duration::ZERO);
        match outcome {
            SIGKILL => assert_eq!(turn, Turn::TimedOut, "its runner did that"),
            outcome => assert_eq!(turn, Turn::Ended(outcome)),
        }
    }
}

proptest! {
    /// A busy node, or the hook itself, may stop the supervisor for any time.
    #[test]
    fn a_supervisor_ends_once_whenever_it_looks(
        timeout in 1_u64..50,
        outcome in select(seen()),
        ends in 0_u64..100,
        looks in prop::collection::btree_set(0_u64..100, 0..20),
    ) {
        // It certainly looks once when all is over.
        let looks: Vec<u64> = looks.into_iter().chain([100]).collect();
        let turns = looks.iter().map(|now| {
            let ended = (*now >= ends).then(|| outcome.clone());
            turn(ended, Duration::from_secs(timeout.saturating_sub(*now)))
        });
        let (at, turn) = looks.iter().zip(turns).find(|(_, turn)| *turn != Turn::Wait).unwrap();
        let is_first = |now: &u64| *now >= ends.min(timeout);
        prop_assert_eq!(Some(at), looks.iter().find(|now| is_first(now)));
        let expected = match *at < ends || *at >= timeout && outcome == SIGKILL {
            true => Turn::TimedOut,
            false => Turn::Ended(outcome),
        };
        prop_assert_eq!(turn, expected);
    }
}

#[test]
fn the_outcome_is_that_of_the_hook_among_all_reaped_children() {
    let [hook, other] = [100, 101].map(Pid::from_raw);
    let exited = |pid, status| WaitStatus::Exited(pid, status);
    assert_eq!(outcome_of(hook, vec![]), None);
    assert_eq!(
        outcome_of(hook, vec![exited(other, 0), WaitStatus::StillAlive]),
        None
    );
    let reaped = vec![exited(other, 0), exited(hook, 3)];
    assert_eq!(outcome_of(hook, reaped), Some(Outcome::Exited { status: 3 }));
    let killed = |pid| WaitStatus::Signaled(pid, Signal::SIGTERM, false);
    let reaped = vec![exited(other, 0), killed(hook)];
    assert_eq!(outcome_of(hook, reaped), Some(Outcome::Killed { signal: 15 }));
    assert_eq!(outcome_of(hook, vec![killed(other)]), None);
}

/// A supervisor's report, as it is sent.
fn sent(outcome: Outcome) -> (Line, Vec<u8>) {
    let line = Line::Ended {
        hook: 1,
        outcome,
        stdout: Output {
            head: "out\n".into(),
            ..Output::default()
        },
        stderr: Output::default(),
        at: Timestamp::now(),
    };
    let mut text = serde_json::to_vec(&line).unwrap();
    text.push(b'\n');
    (line, text)
}

/// A deadline that has passed for so long.
fn passed(since: Duration) -> Instant {
    Instant::now().checked_sub(since).unwrap()
}

fn future() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

const NEVER: fn() = || panic!("it was killed");

/// A pipe with `text`.
fn pipe(text: &[u8]) -> (PipeReader, PipeWriter) {
    let (report, mut sender) = io::pipe().unwrap();
    sender.write_all(text).unwrap();
    (report, sender)
}

#[test]
fn a_report_that_is_there_is_received_after_the_deadline_too() {
    for deadline in [future(), passed(RUNNER_KILLS_AFTER), passed(GRACE * 2)] {
        for outcome in failures().into_iter().chain([SUCCESS]) {
            let (line, text) = sent(outcome);
            let (report, _sender) = pipe(&text);
            let report = await_report(report, deadline, NEVER);
            assert!(
                matches!(&report, Report::Ended(found) if *found == line),
                "{report:?}"
            );
        }
    }
}

#[test]
fn a_report_may_come_in_parts() {
    let (line, text) = sent(Outcome::Exited { status: 3 });
    let (report, mut sender) = pipe(b"");
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            for byte in &text {
                sender.write_all(&[*byte]).unwrap();
            }
        });
        await_report(report, future(), NEVER)
    });
    assert!(
        matches!(&report, Report::Ended(found) if *found == line),
        "{report:?}"
    );
}

#[test]
fn a_supervisor_that_ends_within_its_report_has_died() {
    let (_, text) = sent(SUCCESS);
    for length in 0..text.len() - 1 {
        let (report, sender) = pipe(&text[..length]);
        drop(sender);
        let report = await_report(report, future(), NEVER);
        assert!(matches!(report, Report::Died), "{length}: {report:?}");
    }
}

#[test]
fn a_hook_is_killed_once_after_its_deadline_and_its_supervisor_can_report_that() {
    let (line, text) = sent(Outcome::TimedOut { seconds: 1, left: 0 });
    let (report, mut sender) = pipe(b"");
    let kill = || sender.write_all(&text).unwrap();
    let report = await_report(report, passed(RUNNER_KILLS_AFTER), kill);
    assert!(
        matches!(&report, Report::Ended(found) if *found == line),
        "{report:?}"
    );
}

#[test]
fn a_supervisor_that_ends_when_its_hook_is_killed_has_died() {
    let (report, sender) = pipe(b"{\"ended\":");
    let report = await_report(report, passed(RUNNER_KILLS_AFTER), || drop(sender));
    assert!(matches!(report, Report::Died), "{report:?}");
}

#[test]
fn a_report_that_has_not_come_some_time_after_the_kill_is_missing() {
    let (report, _sender) = pipe(b"{\"ended\":");
    let mut killed = 0;
    let report = await_report(report, passed(GRACE), || killed += 1);
    assert!(matches!(report, Report::Missing), "{report:?}");
    assert_eq!(killed, 1);
}
