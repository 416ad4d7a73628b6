//! Flipped bits.

use std::fs;
use std::path::Path;

use super::{Fixture, created, plain};
use crate::ledger::{Claim, Claimed, EntryDirectory, Outcome, Output, Record, StageResult, Trigger};
use crate::model::{ResolvedHook, Stage, Timestamp};

/// Flips every bit of the file at `path` in turn, and calls `check` for each.
fn with_each_bit_flipped(path: &Path, mut check: impl FnMut(usize)) {
    let whole = fs::read(path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, bytes).unwrap();
        check(bit);
    }
    fs::write(path, whole).unwrap();
}

fn claim(container: &EntryDirectory) -> Claim {
    match container.claim(Stage::Prestart, Trigger::Oci).unwrap() {
        Claimed::Ours(claim) => claim,
        Claimed::Over(result) => panic!("{result:?}"),
    }
}

/// A container whose first prestart hook has ended and whose second has begun; then its runner died.
fn interrupted() -> Fixture {
    let fixture = Fixture::new();
    let container = fixture.container();
    container.note_created(Stage::Prestart, &created(1)).unwrap();
    let mut claim = claim(&container);
    let none = Output::default;
    claim.began(0, &ResolvedHook::for_test("/bin/a")).unwrap();
    claim
        .ended(0, Outcome::Exited { status: 0 }, none(), none())
        .unwrap();
    claim.began(1, &ResolvedHook::for_test("/bin/b")).unwrap();
    drop(claim);
    fixture
}

#[test]
fn an_entry_with_a_flipped_bit_gives_the_hooks_that_were_resolved_or_none() {
    let fixture = Fixture::new();
    let path = fixture.ledger.root().join("entries/c1");
    let header = fixture.container().header().unwrap();
    let stages = [Stage::Prestart, Stage::Poststart, Stage::Poststop];
    let hooks = stages.map(|stage| fixture.container().hooks(stage).unwrap());
    let mut refused = 0;
    with_each_bit_flipped(&path, |bit| {
        if let Ok(read) = fixture.container().header() {
            assert_eq!(read, header, "{bit}");
        }
        for (stage, expected) in stages.iter().zip(&hooks) {
            match fixture.container().hooks(*stage) {
                Ok(read) => assert_eq!(read, *expected, "{bit}"),
                Err(error) => refused += usize::from(error.is_damaged() && *stage == Stage::Poststop),
            }
        }
    });
    let bits = usize::try_from(fs::metadata(&path).unwrap().len() * 8).unwrap();
    // A flipped number of the format may be the number of a later release.
    assert!(refused >= bits - 8, "{refused} of {bits}");
}

#[test]
fn a_record_with_a_flipped_bit_is_damaged_and_cannot_be_claimed() {
    let fixture = interrupted();
    let path = fixture.container().path().join("prestart");
    let whole = fs::read(&path).unwrap();
    with_each_bit_flipped(&path, |bit| {
        let container = fixture.container();
        let is_damaged = |error: crate::ledger::LedgerError| error.is_damaged();
        assert!(container.record(Stage::Prestart).is_err_and(is_damaged), "{bit}");
        assert!(container.created().is_err_and(is_damaged), "{bit}");
        let claimed = container.claim(Stage::Prestart, Trigger::Oci);
        assert!(claimed.is_err_and(is_damaged), "{bit}");
    });
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert_eq!(claim(&fixture.container()).record().next(), 2);
}

#[test]
fn a_note_after_a_flipped_line_feed_does_not_hide_that_the_record_is_damaged() {
    let fixture = interrupted();
    let path = fixture.container().path().join("prestart");
    let whole = fs::read(&path).unwrap();
    for bit in 0..8 {
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        fixture
            .container()
            .note_created(Stage::Prestart, &created(2))
            .unwrap();
        let record = fixture.container().record(Stage::Prestart);
        assert!(record.is_err_and(|error| error.is_damaged()), "{bit}");
    }
}

#[test]
fn a_flipped_bit_in_a_record_that_was_cut_off_and_continued_loses_no_hook_that_began() {
    let fixture = interrupted();
    let path = fixture.container().path().join("prestart");
    let whole = fs::read(&path).unwrap();
    let began = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in [began + 1, began + 20, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut claim = claim(&fixture.container());
        assert_eq!(claim.record().next(), 1, "it was never written");
        claim.began(1, &ResolvedHook::for_test("/bin/b")).unwrap();
        drop(claim);
        let record = || fixture.container().record(Stage::Prestart);
        let expected = record().unwrap().unwrap();
        assert_eq!(expected.runs().len(), 2);
        with_each_bit_flipped(&path, |bit| {
            if let Ok(read) = record() {
                assert_eq!(read.unwrap(), expected, "{bit}");
            }
        });
    }
}

#[test]
fn a_container_of_the_format_without_checksums_keeps_it() {
    let fixture = interrupted();
    let root = fixture.ledger.root();
    for file in ["entries/c1", "live/c1/prestart"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        fs::write(root.join(file), plain(&text)).unwrap();
    }
    let container = fixture.container();
    assert_eq!(container.hooks(Stage::Prestart).unwrap().len(), 2);
    assert_eq!(container.created().unwrap(), Some(created(1)));
    let claim = claim(&container);
    assert_eq!(claim.record().next(), 2);
    let at = Timestamp::now();
    claim.finish(StageResult::Done).unwrap();
    let text = fs::read_to_string(root.join("live/c1/prestart")).unwrap();
    assert!(
        !text.contains("\"sum\""),
        "an earlier release may read it: {text}"
    );
    let record: Record = container.record(Stage::Prestart).unwrap().unwrap();
    assert!(record.finished_at() >= Some(at));
}
