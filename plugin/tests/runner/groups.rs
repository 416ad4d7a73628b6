//! The control group of a hook: what no hook gets out of, and what it may do in it.
//!
//! Hooks that multiply are started below [`Guard`], so that this machine survives a runner that is wrong.

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{SIGCONT, SIGKILL, kill};
use nix::unistd::Pid;
use nri_oci_hooks::ledger::Outcome;
use nri_oci_hooks::model::{HookLimits, ResolvedHook, Stage, Timeout, Timestamp};

use crate::fixture::{Fixture, SUCCESS, number_from};
use crate::guard::{Guard, killed_by_the_kernel_alone, members};

fn seconds(seconds: u32) -> impl FnOnce(&mut ResolvedHook) {
    move |hook| hook.timeout = Timeout::from_seconds(seconds).unwrap()
}

fn limit(change: impl FnOnce(&mut HookLimits)) -> impl FnOnce(&mut ResolvedHook) {
    move |hook| {
        hook.timeout = Timeout::from_seconds(20).unwrap();
        change(&mut hook.limits);
    }
}

fn timed_out(seconds: u32) -> Outcome {
    Outcome::TimedOut { seconds, left: 0 }
}

/// How often a test of something that multiplies is done; more with `NRI_OCI_HOOKS_TEST_RUNS`.
fn runs() -> usize {
    let runs = std::env::var("NRI_OCI_HOOKS_TEST_RUNS").ok();
    runs.and_then(|runs| runs.parse().ok()).unwrap_or(2)
}

#[test]
fn of_a_hook_that_multiplies_nothing_is_left_after_its_timeout() {
    for _ in 0..runs() {
        let script = "#!/bin/sh\nb(){ b|b& };b&\nexec sleep 1000\n";
        let fixture = Fixture::new();
        let fixture = fixture
            .hook_with(Stage::Prestart, script, seconds(2))
            .registered();
        let guard = Guard::of(&fixture);
        let output = guard.run(&fixture, Stage::Prestart);
        while !guard.of_hooks().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let none_left = Timestamp::now();
        assert_eq!(members(&guard.own), [0; 0]);
        assert_eq!(output.status.code(), Some(1));
        // A slow machine does not get to the limit of processes in that time, or needs longer to end them all.
        let ended = match fixture.outcomes(Stage::Prestart).remove(0) {
            Outcome::ProcessLimit { processes: 1024, end } => *end,
            outcome => outcome,
        };
        let record = fixture.record(Stage::Prestart);
        assert!(
            matches!(ended, Outcome::TimedOut { seconds: 2, .. }),
            "{ended:?}: {record:?}"
        );
        let run = record.runs()[0];
        // Shown by --nocapture: on a busy or emulated machine it takes longer, and so does the kernel alone.
        let overrun = |ended: Timestamp| ended.since(run.began).saturating_sub(Duration::from_secs(2));
        println!(
            "{ended} after {:?} more, nothing left after {:?} more; the kernel alone takes {:?}",
            overrun(run.ended.unwrap().at),
            overrun(none_left),
            killed_by_the_kernel_alone(&guard, script)
        );
    }
}

/// It has ended before it reached its limit, or after that: then it has failed. Either way nothing is left.
#[test]
fn nothing_is_left_after_the_timeout_of_a_hook_that_ends_and_has_forked_what_multiplies() {
    for _ in 0..runs() {
        let script = "#!/bin/sh\nb(){ b|b& };b\n";
        let fixture = Fixture::new();
        let fixture = fixture
            .hook_with(Stage::Prestart, script, seconds(20))
            .registered();
        let guard = Guard::of(&fixture);
        guard.run(&fixture, Stage::Prestart);
        while !guard.of_hooks().is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_hook_that_reaches_its_limit_of_processes_fails_with_that_reason() {
    let script = "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done\nexit 0\n";
    let change = limit(|limits| limits.processes = NonZeroU32::new(5).unwrap());
    let fixture = Fixture::new();
    let fixture = fixture.hook_with(Stage::Prestart, script, change).registered();
    let guard = Guard::of(&fixture);
    let output = guard.run(&fixture, Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    let outcomes = fixture.outcomes(Stage::Prestart);
    assert!(
        matches!(outcomes[..], [Outcome::ProcessLimit { processes: 5, .. }]),
        "{outcomes:?}"
    );
    assert_eq!(guard.of_hooks(), [0; 0]);
}

#[test]
fn a_hook_that_uses_up_its_memory_is_ended_with_that_outcome() {
    // A shell's variable is memory of its own.
    let script = "#!/bin/sh\nx=$(head -c 100000000 /dev/zero | tr '\\0' x)\nexit 7\n";
    let memory = 16 << 20;
    let change = limit(|limits| limits.memory = NonZeroU64::new(memory));
    let fixture = Fixture::new();
    let fixture = fixture.hook_with(Stage::Prestart, script, change).registered();
    let guard = Guard::of(&fixture);
    let output = guard.run(&fixture, Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        fixture.outcomes(Stage::Prestart),
        [Outcome::OutOfMemory { memory }]
    );
}

#[test]
fn what_a_hook_starts_stays_in_its_group_and_is_ended_however_it_hides() {
    for hide in [
        "setsid sh -c 'trap \"\" TERM; echo $$ >$D/pid; while :; do sleep 60; done' &",
        "(setsid sh -c '(setsid sh -c \"echo \\$\\$ >$D/pid; sleep 1000\" &)' &)",
        "unshare --pid --fork sleep 1000 & echo $! >$D/pid",
        // Out of every group that it is in, as root can. It is below its supervisor still.
        "sh -c 'for g in $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs); do echo $$ >$g; done; \
         echo $$ >$D/pid; exec sleep 1000' 2>/dev/null &",
    ] {
        let fixture = Fixture::new();
        let pid = fixture.fifo("pid");
        let script = format!("#!/bin/sh\n{hide}\nsleep 1000\n");
        let fixture = fixture
            .hook_with(Stage::Prestart, &script, seconds(3))
            .registered();
        let guard = Guard::of(&fixture);
        let runner = fixture.start(Stage::Prestart);
        let hidden = number_from(&pid);
        let output = runner.wait_with_output().unwrap();
        assert!(!Path::new(&format!("/proc/{hidden}")).exists(), "{hide}");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(fixture.outcomes(Stage::Prestart), [timed_out(3)], "{hide}");
        assert_eq!(guard.of_hooks(), [0; 0]);
    }
}

/// The hook is gone with its supervisor; what it has started is in its group.
#[test]
fn a_hook_that_kills_its_supervisor_leaves_nothing_behind() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nsetsid sh -c 'echo $$ >$D/pid; exec sleep 1000' &\n\
        read x <$D/go-on; kill -KILL $PPID\nsleep 1000\n";
    let go_on = fixture.fifo("go-on");
    let fixture = fixture
        .hook_with(Stage::Prestart, script, seconds(100))
        .registered();
    let guard = Guard::of(&fixture);
    let runner = fixture.start(Stage::Prestart);
    let grandchild = number_from(&pid);
    fs::write(go_on, "\n").unwrap();
    let output = runner.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fixture.outcomes(Stage::Prestart), [Outcome::Interrupted]);
    assert_eq!(guard.of_hooks(), [0; 0], "{grandchild} lives");
}

#[test]
fn what_a_hook_has_started_whose_runner_and_supervisor_were_killed_is_ended_by_the_next_runner() {
    let fixture = Fixture::new().note(Stage::Poststop, "poststop");
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nsetsid sh -c 'echo $$ >$D/pid; exec sleep 1000' &\necho $PPID >$D/supervisor\nsleep 1000\n";
    let supervisor = fixture.fifo("supervisor");
    let fixture = fixture.hook(Stage::Prestart, script).registered();
    let guard = Guard::of(&fixture);
    let mut runner = fixture.start(Stage::Prestart);
    number_from(&pid);
    let supervisor = number_from(&supervisor);
    runner.kill().unwrap();
    kill(Pid::from_raw(supervisor), SIGKILL).unwrap();
    runner.wait().unwrap();
    assert!(fixture.run(Stage::Poststop).status.success());
    assert_eq!(guard.of_hooks(), [0; 0]);
    assert_eq!(fixture.outcomes(Stage::Prestart), [Outcome::Interrupted]);
}

#[test]
fn a_hook_that_stops_its_supervisor_leaves_nothing_behind() {
    let script = "#!/bin/sh\nsetsid sleep 1000 &\nkill -STOP $PPID\nsleep 1000\n";
    let fixture = Fixture::new();
    let fixture = fixture
        .hook_with(Stage::Prestart, script, seconds(1))
        .registered();
    let guard = Guard::of(&fixture);
    assert_eq!(fixture.run(Stage::Prestart).status.code(), Some(1));
    assert_eq!(guard.of_hooks(), [0; 0]);
    assert_eq!(fixture.outcomes(Stage::Prestart), [timed_out(1)]);
}

/// A supervisor that is traced is stopped, and lives on with its tracer's end.
#[test]
fn a_hook_that_traces_its_supervisor_leaves_nothing_behind() {
    // PTRACE_ATTACH is 16, and ptrace the system call 101 on x86-64 alone.
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let script = "#!/usr/bin/perl\nsyscall(101, 16, getppid(), 0, 0) == 0 or exit 9; sleep 1000;\n";
    let fixture = Fixture::new();
    let fixture = fixture
        .hook_with(Stage::Prestart, script, seconds(1))
        .registered();
    let guard = Guard::of(&fixture);
    assert_eq!(fixture.run(Stage::Prestart).status.code(), Some(1));
    assert_eq!(guard.of_hooks(), [0; 0]);
    assert_eq!(fixture.outcomes(Stage::Prestart), [timed_out(1)]);
}

#[test]
fn a_hook_that_stops_its_runner_is_ended_at_its_timeout() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script =
        "#!/bin/sh\nrunner=$(ps -o ppid= -p $PPID)\nkill -STOP $runner\necho $runner >$D/pid\nsleep 1000\n";
    let fixture = fixture
        .hook_with(Stage::Prestart, script, seconds(1))
        .registered();
    let guard = Guard::of(&fixture);
    let runner = fixture.start(Stage::Prestart);
    let stopped = number_from(&pid);
    assert_eq!(stopped, runner.id() as i32);
    while fixture.record(Stage::Prestart).runs()[0].ended.is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(guard.of_hooks(), [0; 0]);
    assert_eq!(fixture.outcomes(Stage::Prestart), [timed_out(1)]);
    kill(Pid::from_raw(stopped), SIGCONT).unwrap();
    assert_eq!(runner.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn a_process_that_a_successful_hook_has_forked_stays_in_its_group_and_an_empty_group_is_removed() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nsetsid sleep 1000 &\n(echo $! >$D/pid) &\nexit 0\n";
    let fixture = fixture.hook(Stage::Poststart, "#!/bin/sh\n");
    let fixture = fixture.hook(Stage::Poststart, script).registered();
    let guard = Guard::of(&fixture);
    let runner = fixture.start(Stage::Poststart);
    let left = number_from(&pid);
    // The one that wrote the number may not have ended yet.
    assert!(runner.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.outcomes(Stage::Poststart), [SUCCESS, SUCCESS]);
    let groups = fs::read_to_string(format!("/proc/{left}/cgroup")).unwrap();
    assert!(groups.contains("/nri-oci-hooks/c1-poststart-1-"), "{groups}");
    assert!(guard.of_hooks().contains(&left));
    let groups = guard.groups();
    let name = groups[0].file_name().unwrap().to_str().unwrap();
    assert!(
        groups.len() == 1 && name.starts_with("c1-poststart-1-"),
        "{groups:?}"
    );
}

#[test]
fn a_hook_and_all_that_it_starts_begin_in_its_group() {
    let script = "#!/bin/sh\ncat /proc/self/cgroup >$D/groups\n";
    let fixture = Fixture::new().hook(Stage::Prestart, script).registered();
    let _guard = Guard::of(&fixture);
    assert!(fixture.run(Stage::Prestart).status.success());
    let groups = fs::read_to_string(fixture.path("groups")).unwrap();
    let is_in = |controller: &str| {
        let mut lines = groups.lines().filter(|line| line.contains(controller));
        lines.any(|line| line.contains("/nri-oci-hooks/c1-prestart-0-"))
    };
    assert!(is_in(":pids:") || is_in("0::"), "{groups}");
    assert!(
        !Path::new("/sys/fs/cgroup/unified").exists() || is_in("0::"),
        "{groups}"
    );
}
