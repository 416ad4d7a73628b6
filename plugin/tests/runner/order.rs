//! The order of the hooks, and the effect of a failure.

use nri_oci_hooks::ledger::{Outcome, StageResult};
use nri_oci_hooks::model::{OnFailure, Stage};

use crate::fixture::{Fixture, SUCCESS, feed, stderr};

const FAILS: &str = "#!/bin/sh\necho one >&2; echo two >&2; echo three >&2; echo four >&2; exit 3\n";

#[test]
fn the_list_runs_in_order_and_each_stage_once() {
    let mut fixture = Fixture::new();
    for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
        fixture = fixture
            .note(stage, &format!("{stage}-a"))
            .note(stage, &format!("{stage}-b"));
    }
    let fixture = fixture.registered();
    for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
        for _ in 0..2 {
            let output = fixture.run(stage);
            assert!(output.status.success());
            assert_eq!(stderr(&output), "");
        }
    }
    let expected = [
        "prestart-a",
        "prestart-b",
        "poststart-a",
        "poststart-b",
        "poststop-a",
        "poststop-b",
    ];
    assert_eq!(fixture.log(), expected);
}

#[test]
fn the_first_prestart_hook_that_fails_ends_the_stage_and_the_message_says_all_there_is_to_say() {
    let fixture = Fixture::new().note(Stage::Prestart, "first");
    let fixture = fixture
        .hook(Stage::Prestart, FAILS)
        .note(Stage::Prestart, "never");
    let fixture = fixture.registered();
    for _ in 0..2 {
        let output = fixture.run(Stage::Prestart);
        assert_eq!(output.status.code(), Some(1));
        insta::assert_snapshot!("first_failure", fixture.message(&output));
    }
    assert_eq!(fixture.log(), ["first"]);
}

#[test]
fn create_runtime_runs_directly_after_prestart_once_and_only_if_that_did_its_work() {
    let fixture = Fixture::new()
        .note(Stage::Prestart, "prestart")
        .note(Stage::CreateRuntime, "createRuntime-a")
        .note(Stage::CreateRuntime, "createRuntime-b")
        .note(Stage::Poststop, "poststop")
        .registered();
    for _ in 0..2 {
        assert!(fixture.run(Stage::Prestart).status.success());
    }
    assert!(fixture.run(Stage::Poststop).status.success());
    let expected = ["prestart", "createRuntime-a", "createRuntime-b", "poststop"];
    assert_eq!(fixture.log(), expected);
    assert_eq!(
        fixture.record(Stage::CreateRuntime).finished(),
        Some(&StageResult::Done)
    );

    let fixture = Fixture::new()
        .hook(Stage::Prestart, FAILS)
        .note(Stage::CreateRuntime, "createRuntime")
        .note(Stage::Poststop, "poststop")
        .registered();
    assert!(!fixture.run(Stage::Prestart).status.success());
    assert!(fixture.run(Stage::Poststop).status.success());
    assert_eq!(fixture.log(), ["poststop"]);
    assert!(matches!(
        fixture.record(Stage::CreateRuntime).finished(),
        Some(StageResult::Skipped { .. })
    ));
}

#[test]
fn a_create_runtime_hook_that_fails_keeps_the_container_from_starting() {
    let fixture = Fixture::new().hook(Stage::CreateRuntime, FAILS).registered();
    for _ in 0..2 {
        let output = fixture.run(Stage::Prestart);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            fixture.outcomes(Stage::CreateRuntime),
            [Outcome::Exited { status: 3 }]
        );
    }
}

#[test]
fn a_failure_that_is_ignored_is_on_record_and_else_as_success() {
    let ignore = |hook: &mut nri_oci_hooks::model::ResolvedHook| hook.on_failure = OnFailure::Ignore;
    let fixture = Fixture::new()
        .hook_with(Stage::Prestart, FAILS, ignore)
        .note(Stage::Prestart, "after")
        .registered();
    for _ in 0..2 {
        let output = fixture.run(Stage::Prestart);
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
    assert_eq!(fixture.log(), ["after"]);
    assert_eq!(
        fixture.outcomes(Stage::Prestart),
        [Outcome::Exited { status: 3 }, SUCCESS]
    );
}

#[test]
fn a_failing_poststart_or_poststop_hook_stops_nothing() {
    for stage in [Stage::Poststart, Stage::Poststop] {
        let fixture = Fixture::new()
            .hook(stage, FAILS)
            .note(stage, "after")
            .registered();
        let output = fixture.run(stage);
        assert!(output.status.success());
        assert_eq!(stderr(&output).lines().count(), 1, "the failure is reported");
        assert_eq!(fixture.log(), ["after"]);
        assert_eq!(fixture.outcomes(stage), [Outcome::Exited { status: 3 }, SUCCESS]);
        assert_eq!(fixture.record(stage).finished(), Some(&StageResult::Done));
    }
}

#[test]
fn a_poststart_before_init_runs_its_program_notes_the_container_and_runs_nothing() {
    for status in ["creating", "created"] {
        let fixture = Fixture::new().note(Stage::Poststart, "poststart").registered();
        let mut init = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let state = fixture.state_of(status, init.id());
        let output = feed(fixture.command(Stage::Poststart), &state);
        assert!(output.wait_with_output().unwrap().status.success());
        assert!(fixture.log().is_empty());
        let process = fixture.container().created().unwrap().unwrap().process.unwrap();
        assert_eq!(process.pid, init.id() as i32);
        init.kill().unwrap();
        init.wait().unwrap();
    }
}

#[test]
fn a_failed_prestart_is_followed_by_poststop_without_poststart() {
    let fixture = Fixture::new().hook(Stage::Prestart, FAILS);
    let fixture = fixture
        .note(Stage::Poststart, "never")
        .note(Stage::Poststop, "poststop");
    let fixture = fixture.registered();
    fixture.run(Stage::Prestart);
    fixture.run(Stage::Poststop);
    fixture.run(Stage::Poststart);
    assert_eq!(fixture.log(), ["poststop"]);
    let record = fixture.record(Stage::Poststart);
    assert!(
        matches!(record.finished(), Some(StageResult::Skipped { .. })),
        "{record:?}"
    );
}

#[test]
fn a_poststart_that_never_came_is_on_record_as_skipped_before_poststop() {
    let fixture = Fixture::new().note(Stage::Prestart, "prestart");
    let fixture = fixture
        .note(Stage::Poststart, "never")
        .note(Stage::Poststop, "poststop");
    let fixture = fixture.registered();
    fixture.run(Stage::Prestart);
    fixture.run(Stage::Poststop);
    fixture.run(Stage::Poststart);
    assert_eq!(fixture.log(), ["prestart", "poststop"]);
    let record = fixture.record(Stage::Poststart);
    assert!(
        matches!(record.finished(), Some(StageResult::Skipped { .. })),
        "{record:?}"
    );
    assert!(record.finished_at() < fixture.record(Stage::Poststop).finished_at());
}

#[test]
fn a_poststop_by_the_daemon_gives_a_pending_poststart_its_turn() {
    let fixture = Fixture::new().note(Stage::Poststart, "poststart");
    let begun = fixture.fifo("begun");
    let fixture = fixture.hook(Stage::Poststart, "#!/bin/sh\necho >$D/begun\n");
    let fixture = fixture.note(Stage::Poststop, "poststop").registered();
    let mut command = fixture.command(Stage::Poststop);
    command.args(["--trigger", "init-ended"]);
    let poststop = feed(command, &fixture.state("stopped"));
    // The claim on poststop is there: it waits for poststart now.
    while !fixture.container().is_claimed(Stage::Poststop).unwrap() {
        std::thread::yield_now();
    }
    let poststart = fixture.start(Stage::Poststart);
    std::fs::read(begun).unwrap();
    assert!(poststart.wait_with_output().unwrap().status.success());
    assert!(poststop.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.log(), ["poststart", "poststop"]);
}

#[test]
fn two_runners_of_one_stage_run_it_once_and_both_return_when_it_is_over() {
    let fixture = Fixture::new();
    let (begun, go_on) = (fixture.fifo("begun"), fixture.fifo("go-on"));
    let fixture = fixture.hook(
        Stage::Prestart,
        "#!/bin/sh\necho >$D/begun; cat $D/go-on; exit 4\n",
    );
    let fixture = fixture.registered();
    let first = fixture.start(Stage::Prestart);
    std::fs::read(begun).unwrap();
    let mut second = fixture.start(Stage::Prestart);
    assert_eq!(second.try_wait().unwrap(), None);
    std::fs::write(go_on, "").unwrap();
    for runner in [first, second] {
        assert_eq!(runner.wait_with_output().unwrap().status.code(), Some(1));
    }
    assert_eq!(fixture.outcomes(Stage::Prestart), [Outcome::Exited { status: 4 }]);
}
