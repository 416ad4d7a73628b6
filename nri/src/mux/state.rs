//! The state that the trunk and its two connections share.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::net::UnixStream;

use super::in_flight::InFlight;
use super::message::Position;
use super::outgoing::Outgoing;
use crate::frame::{PLUGIN_CONNECTION, RUNTIME_CONNECTION};

/// Bytes that may wait in a connection before the socket is no longer read.
pub(super) const MAX_WAITING: usize = 32 << 10;

/// Both sides of one logical connection.
#[derive(Debug)]
pub(super) struct Channel {
    /// Received, and not yet read by ttrpc.
    pub(super) incoming: VecDeque<u8>,
    /// The position of ttrpc in the bytes that it reads.
    pub(super) read_position: Position,
    /// The message that ttrpc writes.
    pub(super) outgoing: Outgoing,
    /// Whether ttrpc still holds its end.
    pub(super) is_held: bool,
    /// Waits for something to read.
    pub(super) reader: Option<Waker>,
    /// Waits for the outgoing message to be sent.
    pub(super) writer: Option<Waker>,
}

impl Channel {
    fn new(connection: u32) -> Self {
        Self {
            incoming: VecDeque::new(),
            read_position: Position::default(),
            outgoing: Outgoing::new(connection),
            is_held: true,
            reader: None,
            writer: None,
        }
    }
}

/// The state of the mux.
#[derive(Debug)]
pub(super) struct State {
    /// The socket, until the trunk has ended.
    pub(super) socket: Option<UnixStream>,
    /// Indexed by [`index`].
    pub(super) channels: [Channel; 2],
    /// The unanswered requests of the plugin connection.
    pub(super) in_flight: InFlight,
    /// No further request is accepted.
    pub(super) draining: bool,
    /// The task that drives the trunk.
    pub(super) driver: Option<Waker>,
}

/// The index of the connection with this id in [`State::channels`]; `None` for an id that NRI does not know.
pub(super) fn index(connection: u32) -> Option<usize> {
    match connection {
        PLUGIN_CONNECTION => Some(0),
        RUNTIME_CONNECTION => Some(1),
        _ => None,
    }
}

/// The channel whose complete message is the next to be sent: one already begun, else any.
pub(super) fn next_to_send(channels: &mut [Channel]) -> Option<&mut Channel> {
    let begun = channels.iter().position(|channel| channel.outgoing.is_begun());
    let next = begun.or_else(|| {
        channels
            .iter()
            .position(|channel| channel.outgoing.complete().is_some())
    });
    next.map(|at| &mut channels[at])
}

/// [`State`], shared.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self(Arc::new(Mutex::new(State {
            socket: Some(socket),
            channels: [PLUGIN_CONNECTION, RUNTIME_CONNECTION].map(Channel::new),
            in_flight: InFlight::default(),
            draining: false,
            driver: None,
        })))
    }

    /// The state. No code waits while it holds the lock.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends as much as the socket accepts without waiting, so that the usual answer needs no other task to
    /// run. Returns whether nothing is left.
    ///
    /// # Errors
    /// The socket's errors.
    pub(super) fn try_send(&mut self) -> io::Result<bool> {
        let Some(socket) = &self.socket else {
            return Ok(true);
        };
        while let Some(channel) = next_to_send(&mut self.channels) {
            match socket.try_write(channel.outgoing.unsent()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => channel.mark_sent(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether every request was answered and every answer sent.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
            && self
                .channels
                .iter()
                .all(|channel| channel.outgoing.complete().is_none())
    }

    /// Closes the socket and ends both connections.
    pub(super) fn close(&mut self) {
        self.socket = None;
        for channel in &mut self.channels {
            wake(&mut channel.reader);
            wake(&mut channel.writer);
        }
    }
}

impl Channel {
    /// Records that `count` bytes of the outgoing message are sent.
    pub(super) fn mark_sent(&mut self, count: usize) {
        self.outgoing.mark_sent(count);
        if self.outgoing.complete().is_none() {
            wake(&mut self.writer);
        }
    }
}

/// Wakes the waiting task, if there is one.
pub(super) fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}
