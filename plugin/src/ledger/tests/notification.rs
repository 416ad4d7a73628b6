//! Who hears of a stage that is over.

use super::Fixture;
use crate::ledger::{Claimed, Notification, StageResult, Trigger};
use crate::model::Stage;

/// What has notification so far.
fn heard(socket: &std::os::unix::net::UnixDatagram) -> Vec<Notification> {
    let mut message = [0; Notification::MAX_SIZE];
    let mut heard = Vec::new();
    while let Ok(length) = socket.recv(&mut message) {
        heard.push(Notification::parse(&message[..length]).unwrap());
    }
    heard
}

#[test]
fn whoever_finishes_a_stage_rings_once_and_whoever_finds_it_over_does_not() {
    let fixture = Fixture::new();
    let bell = fixture.ledger.bell().unwrap();
    for _ in 0..2 {
        match fixture.container().claim(Stage::Prestart, Trigger::Oci).unwrap() {
            Claimed::Ours(claim) => drop(claim.finish(StageResult::Done).unwrap()),
            Claimed::Over(_) => {}
        }
    }
    let notification = Notification {
        id: "c1".parse().unwrap(),
        stage: Stage::Prestart,
        trouble: None,
    };
    assert_eq!(heard(&bell), [notification]);
}

#[test]
fn the_daemon_that_asked_last_hears_it_and_without_one_nothing_fails() {
    let fixture = Fixture::new();
    let finish = |stage| {
        let claimed = fixture.container().claim(stage, Trigger::Oci).unwrap();
        let Claimed::Ours(claim) = claimed else {
            panic!("{claimed:?}")
        };
        claim.finish(StageResult::Done).unwrap();
    };
    finish(Stage::Prestart);
    let first = fixture.ledger.bell().unwrap();
    let second = fixture.ledger.bell().unwrap();
    finish(Stage::Poststop);
    assert_eq!((heard(&first).len(), heard(&second).len()), (0, 1));
}

#[test]
fn a_message_of_another_kind_is_nothing() {
    for message in [
        &b""[..],
        b"{}",
        b"{\"id\":\"../x\",\"stage\":\"prestart\"}",
        b"\xff",
    ] {
        assert_eq!(Notification::parse(message), None);
    }
}
