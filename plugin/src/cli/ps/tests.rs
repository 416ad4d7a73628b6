//! The output of `ps`.

use std::fs;
use std::path::Path;

use super::PsArgs;
use super::command::run;
use crate::cli::{Format, LedgerArg};
use crate::ledger::{Claimed, Created, Identity, Ledger, StageResult, Trigger};
use crate::model::{ProcessId, ResolvedHook, ResolvedHooks, Stage};

fn hook() -> ResolvedHook {
    ResolvedHook::for_test("/bin/a")
}

fn printed(state_dir: &Path, wanted: Option<&str>, format: Format) -> String {
    let args = PsArgs {
        wanted: wanted.map(str::to_owned),
        all: false,
        ledger: LedgerArg {
            state_dir: state_dir.to_str().map(str::to_owned),
            ..LedgerArg::default()
        },
        format,
    };
    let mut out = Vec::new();
    run(&args, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn each_container_that_was_not_removed_has_a_line_with_the_status_of_each_stage() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(directory.path()).unwrap();
    let resolved = ResolvedHooks {
        stages: [
            (Stage::Prestart, vec![hook(), hook()]),
            (Stage::Poststop, vec![hook()]),
        ]
        .into(),
    };
    let enter = |id: &str, pod: &str| {
        ledger.add(Identity::for_test(id, pod), &resolved, true).unwrap();
        ledger.find(&id.parse().unwrap()).unwrap().unwrap()
    };
    let claim = |directory: &crate::ledger::EntryDirectory, stage| match directory.claim(stage, Trigger::Oci)
    {
        Ok(Claimed::Ours(claim)) => claim,
        other => panic!("{other:?}"),
    };
    enter("0123456789abcdef", "waiting");
    let done = enter("1", "done");
    claim(&done, Stage::Prestart).finish(StageResult::Done).unwrap();
    let running = enter("2", "running");
    let mut at_it = claim(&running, Stage::Prestart);
    at_it.began(0, &hook()).unwrap();
    let interrupted = enter("3", "a-pod-with-a-longer-name");
    claim(&interrupted, Stage::Poststop).began(0, &hook()).unwrap();
    let reason = "r".into();
    claim(&interrupted, Stage::Prestart)
        .finish(StageResult::Skipped { reason })
        .unwrap();
    enter("gone", "gone");
    ledger.archive(&"gone".parse().unwrap()).unwrap();
    // Its init has ended, and it has no poststop.
    let over = ResolvedHooks {
        stages: [(Stage::Prestart, vec![hook()])].into(),
    };
    ledger
        .add(Identity::for_test("over", "over"), &over, true)
        .unwrap();
    let created = Created {
        process: Some(ProcessId {
            pid: i32::MAX,
            started: 1,
        }),
        ..Created::default()
    };
    let directory_of_over = ledger.find(&"over".parse().unwrap()).unwrap().unwrap();
    directory_of_over.note_created(Stage::Prestart, &created).unwrap();
    let named = printed(directory.path(), Some("over"), Format::Json);
    assert!(named.contains("\"needs_program\":false"), "{named}");

    insta::assert_snapshot!(printed(directory.path(), None, Format::Text));
    let one = printed(directory.path(), Some("default/running"), Format::Json);
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(
        one["prestart"],
        serde_json::json!({"status": "running", "hook": 1, "hooks": 2})
    );
    drop(at_it);

    // A damaged container hides none of the others.
    fs::write(directory.path().join("entries/1"), "").unwrap();
    assert_eq!(printed(directory.path(), None, Format::Json).lines().count(), 3);
}
