//! Entries.

use std::fs;
use std::path::PathBuf;

use super::{Fixture, created, resolved};
use crate::ledger::LedgerError;
use crate::ledger::checksum;
use crate::model::{ResolvedHook, ResolvedHooks, Stage};

fn entry_path(fixture: &Fixture) -> PathBuf {
    fixture.ledger.root().join("entries/c1")
}

#[test]
fn an_entry_returns_the_hooks_of_each_stage_as_they_were_resolved() {
    let container = Fixture::new();
    let container = container.container();
    let header = container.header().unwrap();
    assert_eq!(header.identity.pod, "web");
    assert_eq!(header.hooks, [(Stage::Prestart, 2), (Stage::Poststop, 1)].into());
    for stage in Stage::ALL {
        assert_eq!(
            container.hooks(stage).unwrap(),
            resolved().stage(stage),
            "{stage}"
        );
    }
}

#[test]
fn a_registered_container_does_not_change() {
    let fixture = Fixture::new();
    let other = ResolvedHooks {
        stages: [(Stage::Poststart, vec![ResolvedHook::for_test("/bin/other")])].into(),
    };
    fixture.ledger.add(super::identity("c1"), &other, true).unwrap();
    assert_eq!(fixture.container().header().unwrap().count(Stage::Prestart), 2);
    let names = fs::read_dir(fixture.ledger.root().join("entries")).unwrap();
    assert_eq!(names.count(), 1, "no other file is left");
}

#[test]
fn a_container_whose_entry_was_cut_off_can_be_registered_again() {
    let fixture = Fixture::new();
    for cut_off in ["", "{\"format\":1"] {
        fs::write(entry_path(&fixture), cut_off).unwrap();
        fixture
            .ledger
            .add(super::identity("c1"), &resolved(), true)
            .unwrap();
        let hooks = fixture.container().hooks(Stage::Prestart).unwrap();
        assert_eq!(hooks, resolved().stage(Stage::Prestart));
    }
}

#[test]
fn an_entry_that_was_cut_off_anywhere_is_an_error_and_never_a_shorter_list() {
    let fixture = Fixture::new();
    let whole = fs::read(entry_path(&fixture)).unwrap();
    for length in 0..whole.len() {
        fs::write(entry_path(&fixture), &whole[..length]).unwrap();
        let poststop = fixture.container().hooks(Stage::Poststop);
        assert!(matches!(poststop, Err(LedgerError::Damaged { .. })), "{length}");
    }
    fs::write(entry_path(&fixture), &whole).unwrap();
    assert!(fixture.container().hooks(Stage::Poststop).is_ok());
}

#[test]
fn an_invalid_entry_is_an_error_that_names_the_file() {
    let fixture = Fixture::new();
    let escapes = "\"\u{1b}[2J\u{1a3}\"\n";
    let container = fixture.container();
    container.note_created(Stage::Poststop, &created(1)).unwrap();
    for text in ["", "\n", "{}\n", "null\n", "\u{0}\u{0}\u{0}\n", "[[[[\n", escapes] {
        fs::write(entry_path(&fixture), text).unwrap();
        let error = fixture.container().header().unwrap_err().to_string();
        assert!(error.contains("/entries/c1 is damaged ("), "{text:?}: {error}");
        assert!(error.contains("delete the container's pod"), "{error}");
        assert!(error.chars().all(|c| (' '..='~').contains(&c)), "{error:?}");
    }
    fs::remove_file(entry_path(&fixture)).unwrap();
    let error = fixture.container().header().unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn an_entry_of_a_later_format_is_refused_before_the_rest_is_read() {
    let fixture = Fixture::new();
    fs::write(entry_path(&fixture), "{\"format\":3,\"boot\":{}}\n").unwrap();
    let error = fixture.container().header().unwrap_err().to_string();
    assert!(
        error.contains("has format 3, but this release reads formats up to 2"),
        "{error}"
    );
}

#[test]
fn additions_of_a_later_release_to_the_same_format_are_ignored() {
    let fixture = Fixture::new();
    let text = fs::read_to_string(entry_path(&fixture)).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let (header, _) = header.rsplit_once(",\"sum\"").unwrap();
    let mut header = format!("{header},\"new\":[1]}}").into_bytes();
    checksum::seal(&mut header);
    let text = format!("{}\n{rest}", String::from_utf8(header).unwrap());
    fs::write(entry_path(&fixture), text).unwrap();
    assert_eq!(fixture.container().hooks(Stage::Prestart).unwrap().len(), 2);
}
