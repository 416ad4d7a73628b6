//! Runners that die, callers that die.

use std::fs;

use nix::sys::signal::{SIGKILL, SIGPIPE, kill};
use nix::unistd::Pid;
use nri_oci_hooks::ledger::{Outcome, StageResult};
use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, SUCCESS, number_from, stderr};

/// Says where it is and waits to be let go.
const WAITS: &str = "#!/bin/sh\necho $PPID >$D/begun; cat $D/go-on >/dev/null; echo waited >>$D/log\n";

fn waiting(stage: Stage) -> Fixture {
    let fixture = Fixture::new()
        .note(stage, "first")
        .hook(stage, WAITS)
        .note(stage, "last");
    fixture.fifo("begun");
    fixture.fifo("go-on");
    fixture.registered()
}

#[test]
fn a_hook_outlives_its_runner_and_the_next_runner_goes_on_behind_it() {
    let fixture = waiting(Stage::Poststop);
    let mut runner = fixture.start(Stage::Poststop);
    number_from(&fixture.path("begun"));
    runner.kill().unwrap();
    runner.wait().unwrap();

    let mut next = fixture.start(Stage::Poststop);
    assert_eq!(next.try_wait().unwrap(), None);
    fs::write(fixture.path("go-on"), "").unwrap();
    assert!(next.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.log(), ["first", "waited", "last"]);
    assert_eq!(fixture.outcomes(Stage::Poststop), [SUCCESS, SUCCESS, SUCCESS]);
}

#[test]
fn a_hook_whose_supervisor_is_killed_dies_with_it_and_is_interrupted_and_not_run_again() {
    let fixture = waiting(Stage::Poststop);
    let runner = fixture.start(Stage::Poststop);
    let supervisor = number_from(&fixture.path("begun"));
    kill(Pid::from_raw(supervisor), SIGKILL).unwrap();
    let output = runner.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output).lines().count(), 1);
    assert_eq!(fixture.log(), ["first", "last"]);
    assert_eq!(
        fixture.outcomes(Stage::Poststop),
        [SUCCESS, Outcome::Interrupted, SUCCESS]
    );
}

#[test]
fn when_runner_and_supervisor_are_killed_the_next_runner_goes_on_with_what_had_not_begun() {
    let fixture = waiting(Stage::Poststop);
    let mut runner = fixture.start(Stage::Poststop);
    let supervisor = number_from(&fixture.path("begun"));
    runner.kill().unwrap();
    kill(Pid::from_raw(supervisor), SIGKILL).unwrap();
    runner.wait().unwrap();
    assert!(fixture.run(Stage::Poststop).status.success());
    assert_eq!(fixture.log(), ["first", "last"]);
    assert_eq!(
        fixture.outcomes(Stage::Poststop),
        [SUCCESS, Outcome::Interrupted, SUCCESS]
    );
}

#[test]
fn a_prestart_that_was_interrupted_has_failed() {
    let fixture = waiting(Stage::Prestart);
    let mut runner = fixture.start(Stage::Prestart);
    let supervisor = number_from(&fixture.path("begun"));
    runner.kill().unwrap();
    kill(Pid::from_raw(supervisor), SIGKILL).unwrap();
    runner.wait().unwrap();
    let output = fixture.run(Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fixture.log(), ["first"]);
    assert_eq!(fixture.outcomes(Stage::Prestart), [SUCCESS, Outcome::Interrupted]);
}

#[test]
fn a_poststart_whose_runner_died_is_gone_through_before_poststop() {
    let fixture = Fixture::new().note(Stage::Poststop, "poststop");
    let fixture = fixture
        .hook(Stage::Poststart, WAITS)
        .note(Stage::Poststart, "last");
    fixture.fifo("begun");
    fixture.fifo("go-on");
    let fixture = fixture.registered();
    let mut runner = fixture.start(Stage::Poststart);
    number_from(&fixture.path("begun"));
    runner.kill().unwrap();
    runner.wait().unwrap();
    let poststop = fixture.start(Stage::Poststop);
    fs::write(fixture.path("go-on"), "").unwrap();
    assert!(poststop.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.log(), ["waited", "last", "poststop"]);
    assert_eq!(
        fixture.record(Stage::Poststart).finished(),
        Some(&StageResult::Done)
    );
}

#[test]
fn a_caller_that_is_gone_changes_nothing() {
    let fixture = waiting(Stage::Poststop);
    let mut runner = fixture.start(Stage::Poststop);
    number_from(&fixture.path("begun"));
    drop((runner.stdout.take(), runner.stderr.take()));
    kill(Pid::from_raw(runner.id() as i32), SIGPIPE).unwrap();
    fs::write(fixture.path("go-on"), "").unwrap();
    assert!(runner.wait().unwrap().success());
    assert_eq!(fixture.log(), ["first", "waited", "last"]);
}
