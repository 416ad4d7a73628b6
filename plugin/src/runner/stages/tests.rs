//! Runners on a real ledger, of containers whose hooks have run or never do.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::ledger::{Outcome, Output};
use crate::model::ResolvedHook;
use crate::runner::tests::{Fixture, SUCCESS, hook};

const FAILURE: Outcome = Outcome::Exited { status: 3 };

/// One hook for each of `stages`.
fn hooks(stages: &[Stage]) -> impl Iterator<Item = (Stage, Vec<ResolvedHook>)> {
    stages.iter().map(|stage| (*stage, vec![hook(false)]))
}

fn run_of(fixture: &Fixture, stage: Stage, by: Trigger) -> StageResult {
    run(&fixture.container(by), stage, by).unwrap()
}

/// Whether the entry has moved beside the records.
fn is_start_over(fixture: &Fixture) -> bool {
    !fixture.ledger.root().join("entries/c1").exists()
}

fn result(fixture: &Fixture, stage: Stage) -> Option<StageResult> {
    fixture.files().finished(stage).unwrap()
}

fn was_skipped(fixture: &Fixture, stage: Stage) -> bool {
    matches!(result(fixture, stage), Some(StageResult::Skipped { .. }))
}

#[test]
fn every_runner_notes_that_its_container_was_created() {
    for stage in Stage::STARTED {
        let fixture = Fixture::new(hooks(&[]));
        assert_eq!(fixture.files().created().unwrap(), None);
        assert_eq!(run_of(&fixture, stage, Trigger::Oci), StageResult::Done);
        assert!(fixture.files().created().unwrap().is_some());
    }
}

#[test]
fn a_list_whose_hooks_have_all_begun_is_finished_by_the_next_runner() {
    for stage in Stage::STARTED {
        let fixture = Fixture::new(hooks(&[stage]));
        fixture.ran(stage, &[SUCCESS]);
        assert_eq!(result(&fixture, stage), None);
        for _ in 0..2 {
            assert_eq!(run_of(&fixture, stage, Trigger::Oci), StageResult::Done);
        }
        assert_eq!(result(&fixture, stage), Some(StageResult::Done));
    }
}

#[test]
fn a_failed_prestart_or_create_runtime_fails_the_request_of_prestart() {
    for stage in Stage::BEFORE_START {
        let fixture = Fixture::new(hooks(&[stage]));
        fixture.ran(stage, &[FAILURE]);
        for _ in 0..2 {
            let found = run_of(&fixture, Stage::Prestart, Trigger::Oci);
            assert!(matches!(found, StageResult::Failed { .. }), "{found:?}");
        }
    }
}

#[test]
fn a_start_is_over_after_its_last_stage_whatever_that_did() {
    for outcome in [SUCCESS, FAILURE] {
        let fixture = Fixture::new(hooks(&[Stage::Prestart]));
        fixture.ran(Stage::Prestart, std::slice::from_ref(&outcome));
        run_of(&fixture, Stage::Prestart, Trigger::Oci);
        assert!(is_start_over(&fixture), "it has no poststart");

        let fixture = Fixture::new(hooks(&[Stage::Prestart, Stage::Poststart]));
        fixture.ran(Stage::Prestart, std::slice::from_ref(&outcome));
        fixture.ran(Stage::Poststart, &[SUCCESS]);
        run_of(&fixture, Stage::Prestart, Trigger::Oci);
        assert!(!is_start_over(&fixture), "its poststart is pending");
        if outcome == SUCCESS {
            run_of(&fixture, Stage::Poststart, Trigger::Oci);
            assert!(is_start_over(&fixture));
        }
    }
}

#[test]
fn poststart_is_skipped_after_a_prestart_that_did_not_do_its_work() {
    let failed: &dyn Fn(&Fixture) = &|fixture| fixture.ran(Stage::Prestart, &[FAILURE]);
    let never: &dyn Fn(&Fixture) = &|_| {};
    for prepare in [failed, never] {
        let fixture = Fixture::new(hooks(&[Stage::Prestart, Stage::Poststart]));
        prepare(&fixture);
        let found = run_of(&fixture, Stage::Poststart, Trigger::Oci);
        assert!(matches!(found, StageResult::Skipped { .. }), "{found:?}");
        assert!(result(&fixture, Stage::Prestart).is_some());
        assert!(is_start_over(&fixture));
    }
}

#[test]
fn a_holder_runs_poststart_with_the_claim_that_it_has() {
    let fixture = Fixture::new(hooks(&[Stage::Poststart]));
    fixture.ran(Stage::Poststart, &[SUCCESS]);
    let claim = fixture.claim(Stage::Poststart);
    poststart(&fixture.container(Trigger::Oci), claim, Trigger::Oci).unwrap();
    assert_eq!(result(&fixture, Stage::Poststart), Some(StageResult::Done));
}

#[test]
fn poststop_skips_the_stages_that_were_never_requested() {
    let fixture = Fixture::new(hooks(&[Stage::Prestart, Stage::CreateRuntime, Stage::Poststart]));
    assert_eq!(run_of(&fixture, Stage::Poststop, Trigger::Oci), StageResult::Done);
    for stage in [Stage::Prestart, Stage::CreateRuntime, Stage::Poststart] {
        assert!(was_skipped(&fixture, stage), "{stage}");
    }
}

#[test]
fn poststop_finishes_a_poststart_whose_runner_has_died() {
    let fixture = Fixture::new(hooks(&[Stage::Poststart, Stage::Poststop]));
    fixture.ran(Stage::Poststart, &[FAILURE]);
    fixture.ran(Stage::Poststop, &[SUCCESS]);
    assert_eq!(
        run_of(&fixture, Stage::Poststop, Trigger::InitEnded),
        StageResult::Done
    );
    assert_eq!(result(&fixture, Stage::Poststart), Some(StageResult::Done));
}

#[test]
fn a_poststart_that_is_over_is_neither_claimed_nor_awaited() {
    let fixture = Fixture::new(hooks(&[Stage::Poststart]));
    let skipped = StageResult::Skipped { reason: "r".into() };
    fixture.claim(Stage::Poststart).finish(skipped.clone()).unwrap();
    let lines = || fixture.files().record(Stage::Poststart).unwrap().unwrap().lines;
    let before = lines();
    let container = fixture.container(Trigger::InitEnded);
    // A busy machine may need that long for another reason.
    let is_at_once = (0..3).any(|_| {
        let began = Instant::now();
        let known = claim_poststart(&container, Trigger::InitEnded, true).unwrap();
        assert!(matches!(known, Known::Over(result) if result == skipped));
        began.elapsed() < POSTSTART_TIMEOUT
    });
    assert!(is_at_once);
    assert_eq!(lines(), before);
}

#[test]
fn a_poststart_has_begun_when_it_is_claimed_or_a_hook_of_it_has_begun() {
    let fixture = Fixture::new(hooks(&[Stage::Poststart]));
    let container = fixture.container(Trigger::InitEnded);
    assert!(!has_begun(&container).unwrap());
    let mut claim = fixture.claim(Stage::Poststart);
    assert!(has_begun(&container).unwrap());
    claim.began(0, &hook(false)).unwrap();
    drop(claim);
    assert!(has_begun(&container).unwrap());
}

#[test]
fn a_poststart_that_is_claimed_is_awaited_by_poststop() {
    let fixture = Fixture::new(hooks(&[Stage::Poststart]));
    let mut claim = fixture.claim(Stage::Poststart);
    claim.began(0, &hook(false)).unwrap();
    let (sender, ended) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(run_of(&fixture, Stage::Poststop, Trigger::InitEnded)));
        let give_up = Instant::now() + Duration::from_secs(60);
        while !fixture.files().is_claimed(Stage::Poststop).unwrap() {
            assert!(Instant::now() < give_up, "it claims its own stage first");
            thread::yield_now();
        }
        assert!(ended.try_recv().is_err());
        claim
            .ended(0, SUCCESS, Output::default(), Output::default())
            .unwrap();
        claim.finish(StageResult::Done).unwrap();
        assert_eq!(ended.recv().unwrap(), StageResult::Done);
    });
    assert_eq!(result(&fixture, Stage::Poststart), Some(StageResult::Done));
}
