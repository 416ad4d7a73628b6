//! The notes about containers without hooks.

use std::fs;
use std::time::Duration;

use super::Fixture;
use crate::ledger::{BootId, DecidedSince};
use crate::model::{ContainerId, ProcessId};

const HOUR: Duration = Duration::from_secs(3600);

fn process(started: u64) -> ProcessId {
    ProcessId { pid: 7, started }
}

#[test]
fn a_decision_is_noted_until_the_container_is_removed() {
    let ledger = Fixture::new();
    let ledger = &ledger.ledger;
    let id = |id: &str| id.parse::<ContainerId>().unwrap();
    ledger.note_without(&id("b")).unwrap();
    ledger.note_without(&id("a")).unwrap();
    ledger.note_without(&id("a")).unwrap();
    assert_eq!(ledger.without().unwrap(), [id("a"), id("b")]);
    ledger.forget_without(&id("a")).unwrap();
    ledger.forget_without(&id("a")).unwrap();
    assert_eq!(ledger.without().unwrap(), [id("b")]);
}

#[test]
fn decisions_are_noted_since_the_first_daemon_that_notes_them() {
    let fixture = Fixture::new();
    let since = fixture.ledger.decided_since(process(50)).unwrap();
    assert_eq!(fixture.ledger.decided_since(process(90)).unwrap(), since);
    let now = BootId::current().unwrap();
    assert!(since.covers(process(51), &now));
    assert!(!since.covers(process(50), &now), "in the same tick, who knows");
    let earlier: BootId = serde_json::from_str("\"earlier\"").unwrap();
    assert!(DecidedSince::for_test(earlier, 50).covers(process(1), &now));
}

#[test]
fn a_container_is_ended_once_within_the_interval_also_by_another_daemon() {
    let fixture = Fixture::new();
    let may_end = |pod: &str, interval| {
        fixture
            .ledger
            .may_end(&["default", pod, "app"], interval)
            .unwrap()
    };
    assert!(may_end("web", HOUR));
    assert!(!may_end("web", HOUR));
    assert!(may_end("db", HOUR));
    assert!(may_end("web", Duration::ZERO), "the interval is over");
}

#[test]
fn a_note_that_cannot_be_parsed_protects_the_container_from_being_ended() {
    let fixture = Fixture::new();
    let may_end = || fixture.ledger.may_end(&["default", "web", "app"], HOUR).unwrap();
    assert!(may_end());
    let directory = fixture.ledger.root().join("ended");
    for file in fs::read_dir(directory).unwrap() {
        fs::write(file.unwrap().path(), "{}").unwrap();
    }
    assert!(!may_end());
}

#[test]
fn the_notes_of_another_boot_do_not_count() {
    let fixture = Fixture::new();
    assert!(fixture.ledger.may_end(&["web"], HOUR).unwrap());
    let directory = fixture.ledger.root().join("ended");
    let file = fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    let boot = serde_json::to_string(&BootId::current().unwrap()).unwrap();
    let at = text.find("\"at\"").unwrap();
    let end = text.find(",\"sum\"").unwrap();
    let mut line = format!("{{\"boot\":{},{}}}", boot.replace('-', "0"), &text[at..end]).into_bytes();
    crate::ledger::checksum::seal(&mut line);
    fs::write(&file, line).unwrap();
    assert!(fixture.ledger.may_end(&["web"], HOUR).unwrap());
}
