//! A poststart that its OCI runtime starts before process 1 runs: runc up to 1.5.1, inside of create.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use nri_oci_hooks::ledger::{Line, StageResult, Trigger};
use nri_oci_hooks::spec::Stage;

use crate::fixture::{Fixture, feed, number_from};

/// A process 1 that has been created; a line on its stdin starts it.
fn created() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exec sleep 1000"]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

/// Runs poststart as runc does inside of create. Returns when nobody holds the runner's output any more.
fn run_early(fixture: &Fixture, init: &Child) -> Output {
    let state = fixture.state_of("created", init.id());
    let runner = feed(fixture.command(Stage::Poststart), &state);
    runner.wait_with_output().unwrap()
}

#[test]
fn a_poststart_before_process_1_runs_returns_at_once_and_runs_as_soon_as_that_does() {
    let fixture = Fixture::new();
    let runs = fixture.fifo("runs");
    let fixture = fixture.hook(
        Stage::Poststart,
        "#!/bin/sh\necho $$ >$D/runs\necho once >>$D/log\n",
    );
    let fixture = fixture.entered();
    let mut init = created();
    assert!(run_early(&fixture, &init).status.success());
    assert!(fixture.record(Stage::Poststart).runs().is_empty());

    init.stdin.take().unwrap().write_all(b"\n").unwrap();
    number_from(&runs);
    // Waits for it; by then it is over.
    assert!(fixture.run(Stage::Poststart).status.success());
    assert_eq!(fixture.log(), ["once"]);
    let record = fixture.record(Stage::Poststart);
    assert_eq!(record.finished(), Some(&StageResult::Done));
    let by = record.lines.iter().find_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    });
    assert_eq!(by, Some(Trigger::Oci));
    init.kill().unwrap();
    init.wait().unwrap();
}

#[test]
fn a_container_that_is_never_started_gets_no_poststart_however_early_that_came() {
    let fixture = Fixture::new().note(Stage::Poststart, "never");
    let fixture = fixture.note(Stage::Poststop, "poststop").entered();
    let mut init = created();
    assert!(run_early(&fixture, &init).status.success());
    init.kill().unwrap();
    init.wait().unwrap();
    fixture.run(Stage::Poststop);
    assert_eq!(fixture.log(), ["poststop"]);
    let skipped = fixture.record(Stage::Poststart);
    assert!(matches!(skipped.finished(), Some(StageResult::Skipped { .. })));
}
