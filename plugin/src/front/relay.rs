//! The connection to the runtime, and the part of it that the current daemon gets.

mod messages;

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::rpc::{self, Method, Subscription};
use super::wire::{Message, PLUGIN, RUNTIME, Wire};

/// The maximum size of requests that wait for their answer, in bytes; beyond it the runtime is no longer
/// read.
const MAX_WAITING: usize = 8 << 20;

/// The maximum size of requests that are kept for the daemon after the front has answered them, in bytes.
const MAX_MISSED: usize = 256 << 10;

/// The maximum size of unread data of the daemon, in bytes; beyond it the daemon gets no further request.
const MAX_UNREAD: usize = 64 << 10;

/// A change of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The runtime has closed it, or sends data that is not NRI.
    RuntimeGone,
    /// The daemon has closed its end, or sends data that is not NRI.
    DaemonGone,
    /// The daemon requests other events, or another failure policy, than the runtime knows.
    OtherSubscription,
}

/// Holds the connection to the runtime while daemons start and end.
#[derive(Debug, Default)]
pub(super) struct Relay {
    runtime: Option<Wire>,
    session: Option<Session>,
    known: Known,
    open: VecDeque<Open>,
    /// The number of requests that the front answered for the daemon.
    answered: u64,
    /// Whether the plugin can be registered again.
    is_replaceable: bool,
}

/// The state for the next release of the front.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    known: Known,
    answered: u64,
    is_replaceable: bool,
}

/// The agreement with the runtime on this connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Known {
    registration: Registration,
    configured: Option<(Message, Subscription)>,
    /// The stream of the last Synchronize whose answer the runtime has, and whether another part follows.
    synchronized: Option<(u32, bool)>,
    /// Whether earlier parts of an unfinished Synchronize are lost with their daemon.
    has_lost_part: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Registration {
    #[default]
    None,
    Asked,
    Done,
}

/// The connection to a daemon.
#[derive(Debug)]
struct Session {
    wire: Wire,
    /// Requests that an earlier daemon has answered, to be answered again before any other; the first is
    /// sent.
    greeting: VecDeque<Message>,
    /// The stream of the registration that the daemon waits for.
    registration: Option<u32>,
}

/// A request that the daemon has not answered.
#[derive(Debug)]
struct Open {
    method: Method,
    request: Message,
    /// The time since when the runtime waits.
    received: Instant,
    /// The time by which the runtime must be answered; none if it is.
    deadline: Option<Instant>,
    /// Whether the current daemon has it.
    is_sent: bool,
}

impl Open {
    /// The time at which the front answers. It is half of the time before the deadline if no daemon has the
    /// request and the answer is empty in any case. The runtime waits for less, and a front without a
    /// processor still answers in time.
    fn due(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        match self.method {
            Method::Other if !self.is_sent => Some(self.received + (deadline - self.received) / 2),
            _ => Some(deadline),
        }
    }
}

impl Session {
    fn new(socket: UnixStream) -> io::Result<Session> {
        Ok(Session {
            wire: Wire::new(socket)?,
            greeting: VecDeque::new(),
            registration: None,
        })
    }
}

impl Held {
    /// Whether the state is valid, so that a front can continue with it.
    pub(super) fn is_sound(&self) -> bool {
        self.known
            .configured
            .as_ref()
            .is_none_or(|(configure, _)| configure.is_whole())
    }
}

impl Relay {
    /// Continues with the state of an earlier release.
    ///
    /// # Errors
    /// Those of the sockets.
    pub(super) fn resume(
        held: Held,
        runtime: Option<UnixStream>,
        session: Option<UnixStream>,
    ) -> io::Result<Relay> {
        Ok(Relay {
            runtime: runtime.map(Wire::new).transpose()?,
            session: session.map(Session::new).transpose()?,
            known: held.known,
            answered: held.answered,
            is_replaceable: held.is_replaceable,
            open: VecDeque::new(),
        })
    }

    /// The state for the next release, beside the ends of the connection; none during the transfer of a
    /// message or request.
    pub(super) fn held(&self) -> Option<Held> {
        let is_quiet = match (&self.runtime, &self.session) {
            (None, None) => true,
            (Some(runtime), Some(session)) => {
                let is_greeted = session.greeting.is_empty() && session.registration.is_none();
                is_greeted && runtime.is_quiet() && session.wire.is_quiet()
            }
            _ => false,
        };
        (is_quiet && self.open.is_empty()).then(|| Held {
            known: self.known.clone(),
            answered: self.answered,
            is_replaceable: self.is_replaceable,
        })
    }

    /// Takes over a connection to a runtime; `is_replaceable` if there could be another one.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn hold(&mut self, runtime: UnixStream, is_replaceable: bool) -> io::Result<()> {
        self.drop_runtime();
        self.is_replaceable = is_replaceable;
        self.runtime = Some(Wire::new(runtime)?);
        Ok(())
    }

    pub(super) fn holds_runtime(&self) -> bool {
        self.runtime.is_some()
    }

    /// The runtime's end of the connection, and whether it may be read.
    pub(super) fn runtime(&self) -> Option<(&Wire, bool)> {
        let waiting: usize = self.open.iter().map(|open| open.request.len()).sum();
        self.runtime.as_ref().map(|wire| (wire, waiting < MAX_WAITING))
    }

    pub(super) fn session(&self) -> Option<&Wire> {
        self.session.as_ref().map(|session| &session.wire)
    }

    /// The number of requests that the front answered for the daemon.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// Whether a daemon that connects now gets no Synchronize of the runtime, because another one has.
    pub(super) fn is_resumed(&self) -> bool {
        self.known.synchronized.is_some()
    }

    /// Closes both ends.
    pub(super) fn drop_runtime(&mut self) {
        self.runtime = None;
        self.session = None;
        self.known = Known::default();
        self.open.clear();
    }

    /// Closes the end of the daemon. Requests without an answer wait for the next daemon.
    pub(super) fn drop_session(&mut self) {
        self.session = None;
        self.known.has_lost_part |= matches!(self.known.synchronized, Some((_, true)));
        self.open.retain_mut(|open| {
            open.is_sent = false;
            // Such a decision was made without the daemon.
            open.deadline.is_some() || open.method != Method::Decision
        });
    }

    /// Begins a session with a daemon; returns its end.
    ///
    /// # Errors
    /// Those of sockets.
    pub(super) fn offer(&mut self) -> io::Result<UnixStream> {
        self.drop_session();
        let (ours, theirs) = UnixStream::pair()?;
        let mut session = Session::new(ours)?;
        if let Some((configure, _)) = &self.known.configured {
            session.greeting.push_back(configure.clone());
            if let Some((stream, false)) = self.known.synchronized {
                session.greeting.push_back(rpc::synchronize(stream));
            }
        }
        self.session = Some(session);
        Ok(theirs)
    }

    /// Reads the data of the runtime, and passes it on.
    pub(super) fn serve_runtime(&mut self) -> Option<Change> {
        let wire = self.runtime.as_mut()?;
        let mut messages = Vec::new();
        let received = wire.receive(|connection, message| messages.push((connection, message)));
        for (connection, message) in messages {
            if connection == PLUGIN && message.is_request() {
                self.receive_request(message);
            } else if connection == RUNTIME && message.is_response() && !self.receive_registration(message) {
                return Some(Change::RuntimeGone);
            }
        }
        match received {
            Ok(true) => self.pass_on(),
            _ => Some(Change::RuntimeGone),
        }
    }

    /// Reads the data of the daemon, and passes it on.
    pub(super) fn serve_session(&mut self) -> Option<Change> {
        let session = self.session.as_mut()?;
        let mut messages = Vec::new();
        let received = session
            .wire
            .receive(|connection, message| messages.push((connection, message)));
        for (connection, message) in messages {
            let change = match connection {
                PLUGIN if message.is_response() => self.receive_answer(message),
                RUNTIME if message.is_request() => self.receive_call(message),
                _ => None,
            };
            if change.is_some() {
                return change;
            }
        }
        match received {
            Ok(true) => self.pass_on(),
            _ => Some(Change::DaemonGone),
        }
    }

    /// Sends waiting messages, as far as the sockets take them.
    pub(super) fn pass_on(&mut self) -> Option<Change> {
        if self.runtime.as_mut().is_some_and(|wire| wire.flush().is_err()) {
            return Some(Change::RuntimeGone);
        }
        let session = self.session.as_mut()?;
        let mut sent = session.wire.flush();
        if session.greeting.is_empty() {
            for open in self.open.iter_mut().filter(|open| !open.is_sent) {
                if sent.is_err() || session.wire.unsent() > MAX_UNREAD {
                    break;
                }
                sent = session.wire.send(PLUGIN, &open.request);
                open.is_sent = true;
            }
        }
        sent.is_err().then_some(Change::DaemonGone)
    }

    /// The time when the next request is to be answered for the daemon.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(Open::due).min()
    }

    /// Answers requests for the daemon that are due at `now`; `why` describes the state of the daemon.
    pub(super) fn expire(&mut self, now: Instant, why: &str) -> Option<Change> {
        let runtime = self.runtime.as_mut()?;
        let fails = self
            .known
            .configured
            .as_ref()
            .is_some_and(|(_, subscription)| subscription.fails);
        for open in &mut self.open {
            if open.due().is_none_or(|due| due > now) {
                continue;
            }
            open.deadline = None;
            let stream = open.request.stream();
            let answer = match open.method {
                // Only the daemon can answer it. The runtime closes the connection.
                Method::Configure => continue,
                Method::Decision if fails => rpc::refusal(stream, &format!("nri-oci-hooks: {why}")),
                method => rpc::empty(stream, method),
            };
            if let Method::Synchronize { more } = open.method {
                self.known.synchronized = Some((stream, more));
            }
            self.answered += 1;
            if runtime.send(PLUGIN, &answer).is_err() {
                return Some(Change::RuntimeGone);
            }
        }
        let mut missed = 0;
        for at in (0..self.open.len())
            .rev()
            .filter(|at| self.open[*at].deadline.is_none())
            .collect::<Vec<_>>()
        {
            missed += self.open[at].request.len();
            if missed > MAX_MISSED {
                self.open.remove(at);
            }
        }
        None
    }
}
