//! Time, output, processes: all of it is bounded.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nri_oci_hooks::ledger::Outcome;
use nri_oci_hooks::select::FrozenHook;
use nri_oci_hooks::spec::{Stage, Timeout};

use crate::fixture::{Fixture, SUCCESS, number_from};

fn one_second(hook: &mut FrozenHook) {
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
    let fixture = fixture.hook_with(Stage::Prestart, script, one_second).entered();
    let runner = fixture.start(Stage::Prestart);
    let grandchild = number_from(&pid);
    assert!(is_running(grandchild));
    let output = runner.wait_with_output().unwrap();
    assert!(!is_running(grandchild));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        fixture.outcomes(Stage::Prestart),
        [Outcome::TimedOut { seconds: 1 }]
    );
    let record = fixture.record(Stage::Prestart);
    let run = record.runs()[0];
    assert!(run.ended.unwrap().at.since(run.began) >= Duration::from_secs(1));
}

#[test]
fn the_time_of_one_hook_is_not_taken_from_the_next() {
    let fixture = Fixture::new();
    let fixture = fixture.hook_with(Stage::Poststop, "#!/bin/sh\nsleep 60\n", one_second);
    let fixture = fixture.note(Stage::Poststop, "after").entered();
    assert!(fixture.run(Stage::Poststop).status.success());
    assert_eq!(fixture.log(), ["after"]);
    assert_eq!(
        fixture.outcomes(Stage::Poststop),
        [Outcome::TimedOut { seconds: 1 }, SUCCESS]
    );
}

#[test]
fn a_process_that_a_successful_hook_leaves_behind_is_neither_waited_for_nor_killed() {
    let fixture = Fixture::new();
    let pid = fixture.fifo("pid");
    let script = "#!/bin/sh\nsleep 1000 &\n(echo $! >$D/pid) &\nexit 0\n";
    // The second hook is killed at its timeout; what the first has left is not of it.
    let fixture = fixture.hook(Stage::Poststart, script);
    let fixture = fixture.hook_with(Stage::Poststart, "#!/bin/sh\nsleep 60\n", one_second);
    let fixture = fixture.entered();
    let runner = fixture.start(Stage::Poststart);
    let daemon = number_from(&pid);
    let output = runner.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(is_running(daemon), "it was killed");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::SIGKILL).unwrap();
    assert_eq!(
        fixture.outcomes(Stage::Poststart),
        [SUCCESS, Outcome::TimedOut { seconds: 1 }]
    );
}

#[test]
fn of_a_long_output_the_beginning_and_the_end_are_kept() {
    let script = "#!/bin/sh\necho first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last\n";
    let fixture = Fixture::new().hook(Stage::Prestart, script).entered();
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
    let fixture = Fixture::new().hook(Stage::Prestart, script).entered();
    assert!(fixture.run(Stage::Prestart).status.success());
    let record = fixture.record(Stage::Prestart);
    let output = record.runs()[0].ended.unwrap().stdout.clone();
    assert_eq!(output.head, "a\u{fffd}\0\u{1b}[2Jb");
    assert_eq!((output.omitted, output.tail.as_str()), (0, ""));
}
