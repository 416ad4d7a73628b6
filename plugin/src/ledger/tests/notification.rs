//! The notifications about a stage that is over.

use super::Fixture;
use crate::ledger::{Claimed, Notification, StageResult, Trigger};
use crate::model::Stage;

/// The notifications that the socket has received so far.
fn received(socket: &std::os::unix::net::UnixDatagram) -> Vec<Notification> {
    let mut message = [0; Notification::MAX_SIZE];
    let mut received = Vec::new();
    while let Ok(length) = socket.recv(&mut message) {
        received.push(Notification::parse(&message[..length]).unwrap());
    }
    received
}

#[test]
fn a_runner_that_finishes_a_stage_notifies_once_and_one_that_finds_it_over_does_not() {
    let fixture = Fixture::new();
    let socket = fixture.ledger.notification_socket().unwrap();
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
    assert_eq!(received(&socket), [notification]);
}

#[test]
fn the_last_daemon_to_bind_receives_it_and_without_a_daemon_nothing_fails() {
    let fixture = Fixture::new();
    let finish = |stage| {
        let claimed = fixture.container().claim(stage, Trigger::Oci).unwrap();
        let Claimed::Ours(claim) = claimed else {
            panic!("{claimed:?}")
        };
        claim.finish(StageResult::Done).unwrap();
    };
    finish(Stage::Prestart);
    let first = fixture.ledger.notification_socket().unwrap();
    let second = fixture.ledger.notification_socket().unwrap();
    finish(Stage::Poststop);
    assert_eq!((received(&first).len(), received(&second).len()), (0, 1));
}

#[test]
fn a_message_of_another_kind_is_ignored() {
    for message in [
        &b""[..],
        b"{}",
        b"{\"id\":\"../x\",\"stage\":\"prestart\"}",
        b"\xff",
    ] {
        assert_eq!(Notification::parse(message), None);
    }
}
