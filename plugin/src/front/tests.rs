//! The relay between a runtime and daemons. The tests play both over sockets.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::relay::{Change, Held, Relay};
use super::rpc;
use super::wire::{Message, PLUGIN, RUNTIME, Wire};

/// A request or answer in protobuf: fields of bytes and numbers below 128.
fn body(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let field = |(number, bytes): &(u8, &[u8])| {
        let mut all = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            all.push(length as u8 | 0x80);
            length >>= 7;
        }
        all.push(length as u8);
        [&all, *bytes].concat()
    };
    fields.iter().flat_map(field).collect()
}

fn request(stream: u32, method: &str, payload: &[u8]) -> Message {
    Message::request(stream, &body(&[(2, method.as_bytes()), (3, payload)]))
}

fn answer(stream: u32, payload: &[u8]) -> Message {
    Message::response(stream, &body(&[(2, payload)]))
}

/// An answer to Configure: these events, and whether requests without an answer are to fail.
fn subscription(stream: u32, events: u8, fails: bool) -> Message {
    answer(stream, &[2 << 3, events, 3 << 3 | 2, 2, 1 << 3, u8::from(fails)])
}

/// The other end of a socket.
struct Peer(Wire, Vec<(u32, Message)>);

impl Peer {
    fn new(socket: UnixStream) -> Peer {
        Peer(Wire::new(socket).unwrap(), Vec::new())
    }

    fn send(&mut self, connection: u32, message: &Message) {
        self.0.send(connection, message).unwrap();
        assert_eq!(self.0.unsent(), 0);
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        let socket = self.0.as_fd().try_clone_to_owned().unwrap();
        std::io::Write::write_all(&mut UnixStream::from(socket), bytes).unwrap();
    }

    fn die(self) {
        die(&self.0.into_socket());
    }

    /// The messages since the last call; no more come if the other end has closed.
    fn received(&mut self) -> Vec<Message> {
        for _ in 0..4 {
            let _ = self
                .0
                .receive(|connection, message| self.1.push((connection, message)));
        }
        self.1.drain(..).map(|(_, message)| message).collect()
    }
}

/// Closes the socket like the kernel after the end of its process. Dropping it is not enough: processes that
/// other tests start hold it for a moment.
fn die(socket: &UnixStream) {
    socket.shutdown(std::net::Shutdown::Both).unwrap();
}

/// Does all pending work of the relay. Returns the change.
fn run(relay: &mut Relay) -> Option<Change> {
    let mut change = None;
    for _ in 0..8 {
        change = change
            .or_else(|| relay.serve_session())
            .or_else(|| relay.serve_runtime())
            .or_else(|| relay.pass_on());
    }
    change
}

/// A relay whose runtime has a plugin that was registered, configured and synchronized.
fn connected(fails: bool) -> (Relay, Peer, Peer) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (mut relay, mut runtime) = (Relay::default(), Peer::new(theirs));
    relay.hold(ours, true).unwrap();
    let mut daemon = Peer::new(relay.offer().unwrap());
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(&mut relay);
    assert_eq!(runtime.received(), [request(1, "RegisterPlugin", b"me")]);
    runtime.send(RUNTIME, &answer(1, b""));
    runtime.send(PLUGIN, &request(1, "Configure", b"all"));
    run(&mut relay);
    assert_eq!(
        daemon.received(),
        [answer(1, b""), request(1, "Configure", b"all")]
    );
    daemon.send(PLUGIN, &subscription(1, 8, fails));
    run(&mut relay);
    assert_eq!(runtime.received(), [subscription(1, 8, fails)]);
    assert!(!relay.is_resumed());
    runtime.send(PLUGIN, &request(3, "Synchronize", b""));
    run(&mut relay);
    assert_eq!(daemon.received(), [request(3, "Synchronize", b"")]);
    daemon.send(PLUGIN, &answer(3, b""));
    run(&mut relay);
    assert_eq!(runtime.received(), [answer(3, b"")]);
    assert!(relay.is_resumed());
    (relay, runtime, daemon)
}

/// The next daemon, which has answered its first requests.
fn next_daemon(relay: &mut Relay, fails: bool) -> Peer {
    let mut daemon = Peer::new(relay.offer().unwrap());
    run(relay);
    assert_eq!(daemon.received(), [], "before it has registered");
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(relay);
    let received = daemon.received();
    assert_eq!(received.len(), 2);
    assert!(received[0].is_response() && rpc::is_ok(received[0].body()));
    assert_eq!(received[1], request(1, "Configure", b"all"));
    daemon.send(PLUGIN, &subscription(1, 8, fails));
    run(relay);
    let received = daemon.received();
    assert_eq!(received.len(), 1);
    assert!(matches!(
        rpc::request(received[0].body()).0,
        rpc::Method::Synchronize { more: false }
    ));
    daemon.send(PLUGIN, &answer(received[0].stream(), b""));
    run(relay);
    daemon
}

fn streams(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(Message::stream).collect()
}

#[test]
fn a_request_whose_answer_is_cut_by_the_death_of_the_daemon_gets_that_of_the_next_one() {
    for payload in [&b"short"[..], &[7; 5000]] {
        let whole = {
            let (ours, theirs) = UnixStream::pair().unwrap();
            Peer::new(ours).send(PLUGIN, &answer(5, payload));
            let mut bytes = vec![0; 10_000];
            let count = std::io::Read::read(&mut &theirs, &mut bytes).unwrap();
            bytes.truncate(count);
            bytes
        };
        let is_tried =
            |cut: &usize| whole.len() < 100 || *cut < 64 || cut.is_multiple_of(61) || *cut == whole.len();
        for cut in (0..=whole.len()).filter(is_tried) {
            let (mut relay, mut runtime, mut daemon) = connected(true);
            runtime.send(PLUGIN, &request(5, "CreateContainer", b"app"));
            run(&mut relay);
            assert_eq!(streams(&daemon.received()), [5]);
            let mut socket = daemon.0.into_socket();
            std::io::Write::write_all(&mut socket, &whole[..cut]).unwrap();
            die(&socket);
            assert_eq!(run(&mut relay), Some(Change::DaemonGone));
            relay.drop_session();
            let mut daemon = next_daemon(&mut relay, true);
            let redelivered = streams(&daemon.received());
            if cut == whole.len() {
                assert_eq!(redelivered, [] as [u32; 0]);
                assert_eq!(runtime.received(), [answer(5, payload)]);
                continue;
            }
            assert_eq!(redelivered, [5], "cut at {cut}");
            assert_eq!(runtime.received(), []);
            daemon.send(PLUGIN, &answer(5, b"next"));
            run(&mut relay);
            assert_eq!(runtime.received(), [answer(5, b"next")]);
        }
    }
}

#[test]
fn a_request_that_is_cut_by_the_death_of_the_runtime_never_reaches_a_daemon() {
    let whole = {
        let (ours, theirs) = UnixStream::pair().unwrap();
        Peer::new(ours).send(PLUGIN, &request(5, "CreateContainer", b"app"));
        let mut bytes = vec![0; 1000];
        let count = std::io::Read::read(&mut &theirs, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    };
    for cut in 0..whole.len() {
        let (mut relay, runtime, mut daemon) = connected(true);
        let mut socket = runtime.0.into_socket();
        std::io::Write::write_all(&mut socket, &whole[..cut]).unwrap();
        die(&socket);
        assert_eq!(run(&mut relay), Some(Change::RuntimeGone));
        relay.drop_runtime();
        assert_eq!(daemon.received(), [], "cut at {cut}");
        assert!(!relay.holds_runtime() && relay.session().is_none());
    }
}

#[test]
fn at_the_deadline_a_decision_is_refused_or_allowed_by_the_policy_and_all_else_is_answered_empty() {
    for fails in [true, false] {
        let (mut relay, mut runtime, mut daemon) = connected(fails);
        let methods = [
            "CreateContainer",
            "StartContainer",
            "StopContainer",
            "RemoveContainer",
        ];
        for (stream, method) in (5..).step_by(2).zip(methods) {
            runtime.send(PLUGIN, &request(stream, method, b""));
        }
        run(&mut relay);
        assert_eq!(streams(&daemon.received()), [5, 7, 9, 11]);
        assert_eq!(relay.expire(Instant::now(), "asleep"), None);
        assert_eq!(runtime.received(), []);
        relay.expire(Instant::now() + Duration::from_secs(2), "asleep");
        let answers = runtime.received();
        let are_ok: Vec<bool> = answers.iter().map(|answer| rpc::is_ok(answer.body())).collect();
        assert_eq!(are_ok, [!fails, !fails, true, true]);
        assert_eq!((relay.deadline(), relay.answered()), (None, 4));
        // After the deadline.
        daemon.send(PLUGIN, &answer(5, b"late"));
        run(&mut relay);
        assert_eq!(runtime.received(), []);
        // A request that was decided without a daemon is not decided again.
        daemon.die();
        assert_eq!(run(&mut relay), Some(Change::DaemonGone));
        relay.drop_session();
        let mut next = next_daemon(&mut relay, fails);
        assert_eq!(streams(&next.received()), [9, 11]);
    }
}

#[test]
fn without_a_daemon_a_request_whose_answer_is_empty_is_answered_at_half_the_time() {
    let (mut relay, mut runtime, daemon) = connected(true);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    runtime.send(PLUGIN, &request(5, "CreateContainer", b"c"));
    runtime.send(PLUGIN, &request(7, "RemoveContainer", b"r"));
    run(&mut relay);
    relay.expire(Instant::now() + Duration::from_secs(1), "away");
    assert_eq!(streams(&runtime.received()), [7]);
    let mut next = next_daemon(&mut relay, true);
    runtime.send(PLUGIN, &request(9, "RemoveContainer", b"r"));
    run(&mut relay);
    assert_eq!(streams(&next.received()), [5, 7, 9]);
    relay.expire(Instant::now() + Duration::from_secs(1), "asleep");
    assert!(runtime.received().is_empty(), "a daemon has all of them");
}

#[test]
fn missed_requests_are_kept_for_the_next_daemon_up_to_a_limit() {
    let (mut relay, mut runtime, daemon) = connected(true);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    for number in 0..8 {
        runtime.send(PLUGIN, &request(5 + 2 * number, "StopContainer", &[1; 60_000]));
        run(&mut relay);
        relay.expire(Instant::now() + Duration::from_secs(2), "away");
    }
    assert_eq!(runtime.received().len(), 8);
    let mut next = next_daemon(&mut relay, true);
    let mut received = Vec::new();
    for _ in 0..8 {
        received.extend(streams(&next.received()));
        run(&mut relay);
    }
    assert_eq!(received, [13, 15, 17, 19]);
}

#[test]
fn a_daemon_that_subscribes_otherwise_needs_a_new_registration() {
    let (mut relay, _runtime, daemon) = connected(true);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    let mut daemon = Peer::new(relay.offer().unwrap());
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(&mut relay);
    daemon.send(PLUGIN, &subscription(1, 9, true));
    assert_eq!(run(&mut relay), Some(Change::OtherSubscription));
}

#[test]
fn a_synchronize_whose_beginning_is_lost_is_answered_and_the_daemon_gets_an_empty_one() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (mut relay, mut runtime) = (Relay::default(), Peer::new(theirs));
    relay.hold(ours, true).unwrap();
    let mut daemon = Peer::new(relay.offer().unwrap());
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(&mut relay);
    runtime.send(RUNTIME, &answer(1, b""));
    runtime.send(PLUGIN, &request(1, "Configure", b"all"));
    run(&mut relay);
    daemon.send(PLUGIN, &subscription(1, 8, true));
    run(&mut relay);
    let more = [3 << 3, 1];
    runtime.send(PLUGIN, &request(3, "Synchronize", &more));
    run(&mut relay);
    daemon.send(PLUGIN, &answer(3, &[2 << 3, 1]));
    run(&mut relay);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    let mut daemon = Peer::new(relay.offer().unwrap());
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(&mut relay);
    daemon.send(PLUGIN, &subscription(1, 8, true));
    run(&mut relay);
    daemon.received();
    runtime.received();
    runtime.send(PLUGIN, &request(5, "Synchronize", &more));
    run(&mut relay);
    assert_eq!(runtime.received(), [answer(5, &[2 << 3, 1])]);
    assert_eq!(daemon.received(), []);
    runtime.send(PLUGIN, &request(7, "Synchronize", b""));
    runtime.send(PLUGIN, &request(9, "CreateContainer", b""));
    run(&mut relay);
    assert_eq!(streams(&runtime.received()), [7]);
    assert_eq!(streams(&daemon.received()), [7], "CreateContainer waits for it");
    daemon.send(PLUGIN, &answer(7, b""));
    run(&mut relay);
    assert_eq!(streams(&daemon.received()), [9]);
}

#[test]
fn a_registration_that_is_refused_ends_the_connection_and_the_daemon_has_the_reason() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (mut relay, mut runtime) = (Relay::default(), Peer::new(theirs));
    relay.hold(ours, true).unwrap();
    let mut daemon = Peer::new(relay.offer().unwrap());
    daemon.send(RUNTIME, &request(1, "RegisterPlugin", b"me"));
    run(&mut relay);
    runtime.send(RUNTIME, &rpc::refusal(1, "no"));
    assert_eq!(run(&mut relay), Some(Change::RuntimeGone));
    relay.drop_runtime();
    assert_eq!(daemon.received(), [rpc::refusal(1, "no")]);
}

#[test]
fn data_that_is_not_nri_ends_the_connection_and_allocates_nothing() {
    let (mut relay, runtime, _daemon) = connected(true);
    let mut socket = runtime.0.into_socket();
    std::io::Write::write_all(&mut socket, &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(run(&mut relay), Some(Change::RuntimeGone));
}

#[test]
fn the_next_release_continues_with_the_connection_once_no_request_is_open() {
    let (mut relay, mut runtime, mut daemon) = connected(true);
    runtime.send(PLUGIN, &request(5, "CreateContainer", b"app"));
    run(&mut relay);
    assert!(relay.held().is_none(), "a request is open");
    daemon.received();
    daemon.send(PLUGIN, &answer(5, b"hooks"));
    run(&mut relay);
    let held = serde_json::to_vec(&relay.held().unwrap()).unwrap();
    let ends = [relay.runtime().unwrap().0, relay.session().unwrap()];
    let [of_runtime, of_daemon] = ends.map(|end| end.as_fd().try_clone_to_owned().unwrap());
    drop(relay);
    let held: Held = serde_json::from_slice(&held).unwrap();
    assert!(held.is_sound());
    let mut relay = Relay::resume(held, Some(of_runtime.into()), Some(of_daemon.into())).unwrap();
    runtime.received();
    // Still known to the daemon, and to its successor.
    runtime.send(PLUGIN, &request(7, "CreateContainer", b"app"));
    run(&mut relay);
    assert_eq!(streams(&daemon.received()), [7]);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    let mut daemon = next_daemon(&mut relay, true);
    assert_eq!(streams(&daemon.received()), [7]);
    daemon.send(PLUGIN, &answer(7, b"hooks"));
    run(&mut relay);
    assert_eq!(runtime.received(), [answer(7, b"hooks")]);
}

#[test]
fn nothing_is_handed_over_while_a_part_of_a_message_or_a_daemon_is_missing() {
    let (mut relay, mut runtime, _daemon) = connected(true);
    runtime.send_raw(&[0, 0, 0]);
    run(&mut relay);
    assert!(relay.held().is_none(), "a frame has begun");
    let (mut relay, _runtime, daemon) = connected(true);
    daemon.die();
    assert_eq!(run(&mut relay), Some(Change::DaemonGone));
    relay.drop_session();
    assert!(relay.held().is_none(), "no daemon");
    let _daemon = next_daemon(&mut relay, true);
    assert!(relay.held().is_some());
    relay.drop_runtime();
    assert!(relay.held().is_some(), "no runtime, so nobody waits");
}

#[test]
fn a_handover_whose_messages_are_not_whole_is_refused() {
    let (relay, _runtime, _daemon) = connected(true);
    let mut held = serde_json::to_value(relay.held().unwrap()).unwrap();
    let configure = &mut held["known"]["configured"][0];
    configure.as_array_mut().unwrap().truncate(3);
    let held: Held = serde_json::from_value(held).unwrap();
    assert!(!held.is_sound());
}
