//! Time, output, processes: all of it is bounded.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nri_oci_hooks::ledger::Outcome;
use nri_oci_hooks::model::{ResolvedHook, Stage, Timeout};

use crate::fixture::{Fixture, SUCCESS, number_from, stderr};

fn one_second(hook: &mut ResolvedHook) {
    hook.timeout = Timeout::from_seconds(1).unwrap();
}

fn is_running(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn at_its_timeout_everything_that_a_hook_started_is_killed_whatever_it_ignores_or_holds() {
    let script = "#!/bin/sh\n\
        setsid sh -c 'trap \"\" TERM HUP INT; (setsid sh -c \"trap \\\"\\\" TERM; echo \\$\\$ >$D/pid; while :; do sleep 60; done\" &) ; sleep 60' &\n\
        sleep 60\n";
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let fixture = fixture
        .hook_with(Stage::Prestart, script, one_second)
        .registered();
    let runner = fixture.start(Stage::Prestart);
    let grandchild = number_from(&pid);
    assert!(is_running(grandchild));
    let output = runner.wait_with_output().unwrap();
    assert!(!is_running(grandchild));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        fixture.outcomes(Stage::Prestart),
        [Outcome::TimedOut { seconds: 1, left: 0 }]
    );
    let record = fixture.record(Stage::Prestart);
    let run = record.runs()[0];
    assert!(run.ended.unwrap().at.since(run.began) >= Duration::from_secs(1));
}

/// A hook is root and can do so, and a program on a file system that answers no more holds its supervisor as well.
#[test]
fn a_hook_that_stops_its_supervisor_gets_no_more_time_for_it_than_a_grace() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nkill -STOP $PPID\n\
        setsid sh -c 'echo $$ >$D/pid; exec sleep 1000' &\n\
        exec sleep 1000\n";
    let fixture = fixture
        .hook_with(Stage::Prestart, script, one_second)
        .registered();
    let runner = fixture.start(Stage::Prestart);
    let grandchild = number_from(&pid);
    let output = runner.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    // It has ended; the node's init takes that in.
    while is_running(grandchild) {
        std::thread::yield_now();
    }
    let outcome = Outcome::TimedOut { seconds: 1, left: 0 };
    assert_eq!(fixture.outcomes(Stage::Prestart), [outcome]);
}

/// Looking for them among all processes of the node would take longer than they may live.
#[test]
fn at_its_timeout_everything_is_killed_on_a_node_with_thousands_of_processes_too() {
    let fixture = Fixture::new();
    let crowd = fixture.fifo("crowd");
    let script = "i=0; while [ $i -lt 3000 ]; do read x <$0 & i=$((i+1)); done; echo all; wait";
    let mut others = Command::new("sh")
        .args(["-c", script])
        .arg(&crowd)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut message = [0; 4];
    others.stdout.take().unwrap().read_exact(&mut message).unwrap();

    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\n(setsid sh -c 'echo $$ >$D/pid; while :; do sleep 60; done' &)\nsleep 60\n";
    let fixture = fixture
        .hook_with(Stage::Prestart, script, one_second)
        .registered();
    let runner = fixture.start(Stage::Prestart);
    let grandchild = number_from(&pid);
    runner.wait_with_output().unwrap();
    assert!(!is_running(grandchild));
    assert_eq!(
        fixture.outcomes(Stage::Prestart),
        [Outcome::TimedOut { seconds: 1, left: 0 }]
    );
    // Lets them end, as the fixture would.
    let _ = File::options().read(true).write(true).open(&crowd);
    others.wait().unwrap();
}

#[test]
fn a_stage_of_many_noisy_hooks_keeps_a_bounded_record() {
    let noise = "#!/bin/sh\nhead -c 20000 /dev/zero | tr '\\0' x; echo why >&2; exit 1\n";
    let fixture = (0..100).fold(Fixture::new(), |fixture, _| fixture.hook(Stage::Poststop, noise));
    let fixture = fixture.registered();
    let output = fixture.run(Stage::Poststop);
    assert!(output.status.success());
    let record = fixture.record(Stage::Poststop);
    let runs = record.runs();
    assert_eq!(runs.len(), 100);
    let ends = || runs.iter().map(|run| run.ended.unwrap());
    assert!(
        ends().all(|end| end.stderr.last_lines(1) == ["why"]),
        "the reason is kept"
    );
    assert!(ends().all(|end| end.stdout.len() as u64 + end.stdout.omitted == 20_000));
    let kept: usize = ends().map(|end| end.stdout.len()).sum();
    assert!(kept <= 1024 * 1024, "{kept}");
    let message = stderr(&output);
    assert_eq!(message.lines().count(), 21, "{message}");
    insta::assert_snapshot!("more_failures", message.lines().last().unwrap());
}

/// As many as a hook-spec of 10 MB holds.
#[test]
fn of_tens_of_thousands_of_hooks_the_first_failure_ends_prestart() {
    let fixture = Fixture::new().hook(Stage::Prestart, "#!/bin/sh\nexit 3\n");
    let fixture = fixture.repeated(Stage::Prestart, 30_000).registered();
    let output = fixture.run(Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fixture.outcomes(Stage::Prestart), [Outcome::Exited { status: 3 }]);
    assert_eq!(stderr(&output).lines().count(), 1);
}

#[test]
fn the_time_of_one_hook_is_not_taken_from_the_next() {
    let fixture = Fixture::new();
    let fixture = fixture.hook_with(Stage::Poststop, "#!/bin/sh\nsleep 60\n", one_second);
    let fixture = fixture.note(Stage::Poststop, "after").registered();
    assert!(fixture.run(Stage::Poststop).status.success());
    assert_eq!(fixture.log(), ["after"]);
    assert_eq!(
        fixture.outcomes(Stage::Poststop),
        [Outcome::TimedOut { seconds: 1, left: 0 }, SUCCESS]
    );
}

#[test]
fn a_process_that_a_successful_hook_has_forked_is_neither_waited_for_nor_killed() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nsleep 1000 &\n(echo $! >$D/pid) &\nexit 0\n";
    // The second hook is killed at its timeout; what the first has left is not of it.
    let fixture = fixture.hook(Stage::Poststart, script);
    let fixture = fixture.hook_with(Stage::Poststart, "#!/bin/sh\nsleep 60\n", one_second);
    let fixture = fixture.registered();
    let runner = fixture.start(Stage::Poststart);
    let daemon = number_from(&pid);
    let output = runner.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(is_running(daemon), "it was killed");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::SIGKILL).unwrap();
    assert_eq!(
        fixture.outcomes(Stage::Poststart),
        [SUCCESS, Outcome::TimedOut { seconds: 1, left: 0 }]
    );
}

#[test]
fn of_a_long_output_the_beginning_and_the_end_are_kept() {
    let script = "#!/bin/sh\necho first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last\n";
    let fixture = Fixture::new().hook(Stage::Prestart, script).registered();
    assert!(fixture.run(Stage::Prestart).status.success());
    let record = fixture.record(Stage::Prestart);
    let output = record.runs()[0].ended.unwrap().stdout.clone();
    assert!(output.head.starts_with("first\nx"));
    assert!(output.tail.ends_with("x\nlast\n"));
    assert_eq!((output.head.len(), output.tail.len()), (4 * 1024, 12 * 1024));
    let all = "first\n".len() + 3_000_000 + "\nlast\n".len();
    assert_eq!(output.omitted, (all - 16 * 1024) as u64);
    let size = fs::metadata(fixture.container().path().join("prestart"))
        .unwrap()
        .len();
    assert!(size < 32 * 1024, "{size}");
}

#[test]
fn what_fits_is_kept_whole_and_what_is_not_text_does_no_harm() {
    let script = "#!/bin/sh\nprintf 'a\\377\\000\\033[2Jb'\n";
    let fixture = Fixture::new().hook(Stage::Prestart, script).registered();
    assert!(fixture.run(Stage::Prestart).status.success());
    let record = fixture.record(Stage::Prestart);
    let output = record.runs()[0].ended.unwrap().stdout.clone();
    assert_eq!(output.head, "a\u{fffd}\0\u{1b}[2Jb");
    assert_eq!((output.omitted, output.tail.as_str()), (0, ""));
}
