//! The messages of the runtime and of the daemon: what each changes, and where it goes.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::{Change, Open, Registration, Relay};
use crate::front::rpc::{self, Method};
use crate::front::wire::{Message, PLUGIN, RUNTIME};

impl Relay {
    pub(super) fn receive_request(&mut self, request: Message) {
        let (method, timeout) = rpc::request(request.body());
        if let Method::Synchronize { more } = method
            && self.known.has_lost_part
        {
            return self.answer_rest_of_synchronize(request.stream(), more);
        }
        let request = match method {
            // The time for these begins when the daemon gets them.
            Method::Configure | Method::Synchronize { .. } => request,
            _ => rpc::received_at(&request, uptime()),
        };
        let received = Instant::now();
        self.open.push_back(Open {
            method,
            request,
            received,
            deadline: Some(received + time_to_answer(timeout)),
            is_sent: false,
        });
    }

    /// Answers a part of a Synchronize whose beginning the daemon does not have. At the end the daemon gets
    /// an empty one, like a daemon that connects later.
    pub(super) fn answer_rest_of_synchronize(&mut self, stream: u32, more: bool) {
        self.known.synchronized = Some((stream, more));
        self.known.has_lost_part = more;
        // A closed connection is noticed when it is read.
        let _ = self
            .runtime
            .as_mut()
            .map(|wire| wire.send(PLUGIN, &rpc::empty(stream, Method::Synchronize { more })));
        if let Some(session) = self.session.as_mut().filter(|_| !more) {
            let request = rpc::synchronize(stream);
            if session.greeting.is_empty() {
                let _ = session.wire.send(PLUGIN, &request);
            }
            session.greeting.push_back(request);
        }
    }

    /// Receives the runtime's answer to the registration. Returns whether it has accepted the plugin.
    pub(super) fn receive_registration(&mut self, response: Message) -> bool {
        let is_accepted = rpc::is_ok(response.body());
        self.known.registration = Registration::Done;
        if let Some(session) = &mut self.session
            && let Some(stream) = session.registration.take()
        {
            // A dead daemon is noticed when its connection is read.
            let _ = session.wire.send(RUNTIME, &response.on_stream(stream));
        }
        is_accepted
    }

    pub(super) fn receive_call(&mut self, request: Message) -> Option<Change> {
        let (session, runtime) = (self.session.as_mut()?, self.runtime.as_mut()?);
        let (stream, sent) = (request.stream(), &mut Ok(()));
        match (rpc::request(request.body()).0, &self.known.registration) {
            (Method::Register, Registration::None) => {
                self.known.registration = Registration::Asked;
                session.registration = Some(stream);
                *sent = runtime.send(RUNTIME, &request);
            }
            (Method::Register, Registration::Asked) => session.registration = Some(stream),
            (Method::Register, Registration::Done) => {
                let _ = session.wire.send(RUNTIME, &rpc::empty(stream, Method::Register));
                if let Some(first) = session.greeting.front() {
                    let _ = session.wire.send(PLUGIN, first);
                }
            }
            _ => drop(session.wire.send(RUNTIME, &rpc::unknown(stream))),
        }
        sent.is_err().then_some(Change::RuntimeGone)
    }

    /// Receives an answer of the daemon.
    pub(super) fn receive_answer(&mut self, response: Message) -> Option<Change> {
        let session = self.session.as_mut()?;
        if session
            .greeting
            .front()
            .is_some_and(|request| request.stream() == response.stream())
        {
            return self.receive_greeting_answer(&response);
        }
        let at = self
            .open
            .iter()
            .position(|open| open.request.stream() == response.stream())?;
        let open = self.open.remove(at)?;
        // Without a deadline, the front has answered it.
        open.deadline?;
        match open.method {
            Method::Configure if rpc::is_ok(response.body()) => {
                self.known.configured = Some((open.request, rpc::subscription(response.body())));
            }
            Method::Synchronize { more } => self.known.synchronized = Some((response.stream(), more)),
            _ => {}
        }
        let sent = self.runtime.as_mut()?.send(PLUGIN, &response);
        sent.is_err().then_some(Change::RuntimeGone)
    }

    /// Receives the answer to a request that an earlier daemon has answered.
    pub(super) fn receive_greeting_answer(&mut self, response: &Message) -> Option<Change> {
        let (session, (configure, subscription)) = (self.session.as_mut()?, self.known.configured.as_ref()?);
        session.greeting.pop_front();
        if response.stream() == configure.stream() {
            if !rpc::is_ok(response.body()) {
                return Some(Change::DaemonGone);
            }
            if self.is_replaceable && rpc::subscription(response.body()) != *subscription {
                return Some(Change::OtherSubscription);
            }
        }
        let sent = session
            .greeting
            .front()
            .is_some_and(|next| session.wire.send(PLUGIN, next).is_err());
        sent.then_some(Change::DaemonGone)
    }
}

/// The time for the daemon's answer to a request for which the runtime waits for `given`. It is longer than
/// the daemon's own limit, and shorter than the runtime's.
fn time_to_answer(given: Duration) -> Duration {
    let margin = (given / 20).clamp(Duration::from_millis(25), Duration::from_millis(125));
    given - margin.min(given / 4)
}

/// The time of the monotonic clock, which is the same in every process.
fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
