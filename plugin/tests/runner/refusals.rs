//! The refusals of a runner, and their messages.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nri_oci_hooks::ledger::Outcome;
use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, feed, stderr};

#[test]
fn a_hook_that_others_could_have_changed_since_is_not_run() {
    let fixture = Fixture::new().note(Stage::Prestart, "never").registered();
    let hook = fixture.path("prestart-0");
    fs::set_permissions(&hook, Permissions::from_mode(0o757)).unwrap();
    let output = fixture.run(Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    let outcomes = fixture.outcomes(Stage::Prestart);
    assert!(matches!(outcomes[..], [Outcome::Refused { .. }]), "{outcomes:?}");
    insta::assert_snapshot!("refused", fixture.message(&output));
    assert!(fixture.log().is_empty());
}

#[test]
fn a_hook_that_is_gone_or_that_the_kernel_cannot_execute_has_failed() {
    let fixture = Fixture::new().note(Stage::Poststop, "never");
    let fixture = fixture.hook(Stage::Poststop, "no program");
    let fixture = fixture
        .hook(Stage::Poststop, "#!/no/such/interpreter\n")
        .registered();
    fs::remove_file(fixture.path("poststop-0")).unwrap();
    assert!(fixture.run(Stage::Poststop).status.success());
    let outcomes = fixture.outcomes(Stage::Poststop);
    let [
        Outcome::Refused { .. },
        Outcome::NotExecuted { reason: first },
        Outcome::NotExecuted { reason: second },
    ] = outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    insta::assert_snapshot!("not_executed", format!("{first}\n{second}"));
}

#[test]
fn a_hook_that_is_killed_has_failed_with_the_signal() {
    let fixture = Fixture::new()
        .hook(Stage::Prestart, "#!/bin/sh\nkill -9 $$\n")
        .registered();
    assert_eq!(fixture.run(Stage::Prestart).status.code(), Some(1));
    assert_eq!(fixture.outcomes(Stage::Prestart), [Outcome::Killed { signal: 9 }]);
}

#[test]
fn a_container_that_is_not_in_the_ledger_does_not_start_but_stops() {
    let fixture = Fixture::new();
    let output = fixture.run(Stage::Prestart);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("not_in_the_ledger", fixture.message(&output));
    for stage in [Stage::Poststart, Stage::Poststop] {
        let output = fixture.run(stage);
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_damaged_entry_is_reported_and_runs_nothing() {
    for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
        let fixture = Fixture::new().note(stage, "never").registered();
        let entry = fixture.ledger().root().join("entries/c1");
        let whole = fs::read(&entry).unwrap();
        fs::write(&entry, &whole[..whole.len() / 2]).unwrap();
        let output = fixture.run(stage);
        assert_eq!(output.status.success(), stage != Stage::Prestart);
        insta::assert_snapshot!("damaged", fixture.message(&output));
        assert!(fixture.log().is_empty());
    }
}

#[test]
fn an_invalid_state_is_reported() {
    let fixture = Fixture::new().note(Stage::Prestart, "never").registered();
    let mut messages = String::new();
    for state in [
        "",
        "{}",
        "null",
        "{\"id\":\"../c1\",\"status\":\"creating\"}",
        "[[[[",
    ] {
        let output = feed(fixture.command(Stage::Prestart), state)
            .wait_with_output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{state}");
        messages += &stderr(&output);
    }
    insta::assert_snapshot!("invalid_states", messages);
    assert!(fixture.log().is_empty());
}

#[test]
fn a_wrong_command_line_is_reported_with_the_right_one() {
    let runner = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nri-oci-hooks"));
        command.arg("stage").args(arguments).output().unwrap()
    };
    let mut messages = String::new();
    for arguments in [
        &[][..],
        &["createRuntime"],
        &["prestart", "--state-dir"],
        &["prestart", "--trigger", "x"],
        &["prestart", "--x", "y"],
    ] {
        let output = runner(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        messages += &stderr(&output);
    }
    insta::assert_snapshot!("wrong_command_lines", messages);
}
