//! Claims: the right to run a stage.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Fixture, created};
use crate::ledger::{Claim, Claimed, EntryDirectory, Outcome, Output, StageResult, Trigger};
use crate::model::{ResolvedHook, Stage};

fn claim(container: &EntryDirectory) -> Claim {
    match container.claim(Stage::Prestart, Trigger::Oci).unwrap() {
        Claimed::Ours(claim) => claim,
        Claimed::Over(result) => panic!("{result:?}"),
    }
}

#[test]
fn a_second_claim_waits_for_the_first_and_gets_its_result() {
    let fixture = Fixture::new();
    let (container, other) = (fixture.container(), fixture.container());
    let first = claim(&container);
    assert!(other.is_claimed(Stage::Prestart).unwrap());

    let (sender, second) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let claimed = other.claim(Stage::Prestart, Trigger::StartContainer).unwrap();
        sender.send(format!("{claimed:?}")).unwrap();
    });
    assert!(second.try_recv().is_err());
    first.finish(StageResult::Done).unwrap();
    assert_eq!(second.recv().unwrap(), "Over(Done)");
    waiting.join().unwrap();
    assert!(!container.is_claimed(Stage::Prestart).unwrap());
}

#[test]
fn a_stage_that_is_over_is_not_waited_for_though_its_record_is_locked() {
    let fixture = Fixture::new();
    let (container, other) = (fixture.container(), fixture.container());
    claim(&container).finish(StageResult::Done).unwrap();
    // As the supervisor of a hook that the kernel cannot kill does.
    let record = File::open(container.path().join("prestart")).unwrap();
    record.lock().unwrap();
    let (sender, claimed) = mpsc::channel();
    let asking = thread::spawn(move || {
        let claimed = other.claim(Stage::Prestart, Trigger::StartContainer).unwrap();
        sender.send(format!("{claimed:?}")).unwrap();
    });
    let claimed = claimed.recv_timeout(Duration::from_secs(30));
    drop(record);
    assert_eq!(claimed.unwrap(), "Over(Done)");
    asking.join().unwrap();
}

#[test]
fn a_claim_is_of_one_stage_only() {
    let fixture = Fixture::new();
    let container = fixture.container();
    let _prestart = claim(&container);
    let poststop = container.claim(Stage::Poststop, Trigger::Oci).unwrap();
    assert!(matches!(poststop, Claimed::Ours(_)));
}

#[test]
fn a_hook_is_interrupted_if_its_runner_dies_and_the_next_runner_continues() {
    let fixture = Fixture::new();
    let container = fixture.container();
    let mut first = claim(&container);
    first.began(0, &ResolvedHook::for_test("/bin/a")).unwrap();
    // Nothing is written at its death; the kernel releases the lock.
    drop(first);

    let second = claim(&container);
    assert_eq!(second.record().next(), 1);
    let runs = second.record().runs();
    assert_eq!(*runs[0].ended.unwrap().outcome, Outcome::Interrupted);
}

#[test]
fn the_lines_after_one_that_was_cut_off_are_not_lost() {
    let fixture = Fixture::new();
    let container = fixture.container();
    let mut first = claim(&container);
    first.began(0, &ResolvedHook::for_test("/bin/a")).unwrap();
    first
        .ended(
            0,
            Outcome::Exited { status: 0 },
            Output::default(),
            Output::default(),
        )
        .unwrap();
    drop(first);
    let path = container.path().join("prestart");
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"{\"began\":{\"ho").unwrap();

    let mut second = claim(&container);
    assert_eq!(second.record().next(), 1);
    second.began(1, &ResolvedHook::for_test("/bin/b")).unwrap();
    drop(second);
    let record = container.record(Stage::Prestart).unwrap().unwrap();
    assert_eq!(record.open(), Some(1));
    container.note_created(Stage::Prestart, &created(1)).unwrap();
    assert_eq!(container.created().unwrap(), Some(created(1)));
}

#[test]
fn nothing_of_a_stage_is_pending_when_it_has_no_hooks_or_is_over() {
    let fixture = Fixture::new();
    let container = fixture.container();
    assert!(container.is_complete(Stage::Poststart, 0).unwrap());
    assert!(!container.is_complete(Stage::Prestart, 2).unwrap());
    let claim = claim(&container);
    assert!(!container.is_complete(Stage::Prestart, 2).unwrap());
    claim.finish(StageResult::Skipped { reason: "r".into() }).unwrap();
    assert!(container.is_complete(Stage::Prestart, 2).unwrap());
}
