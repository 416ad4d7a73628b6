//! A socket that carries NRI: whole ttrpc messages in, whole ttrpc messages out.
//!
//! A frame is 8 bytes (connection, length) and its payload. The payloads of one connection are its ttrpc
//! messages, each 10 bytes (length, stream, kind, flags) and its body.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use crate::process::is_passing;

/// Connection on which the runtime calls the plugin.
pub(super) const PLUGIN: u32 = 1;

/// Connection on which the plugin calls the runtime.
pub(super) const RUNTIME: u32 = 2;

const FRAME_HEADER: usize = 8;
const HEADER: usize = 10;
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

/// The maximum length of a message's body.
const MAX_BODY: usize = 4 << 20;

/// The maximum payload of a frame in which a message begins: runtimes close the connection on a longer one.
const MAX_FIRST_PAYLOAD: usize = 4096;

/// The number of bytes that are read at once.
const READ_SIZE: usize = 16 << 10;

/// A buffer that has grown beyond this is freed when it is empty.
const KEPT_CAPACITY: usize = 64 << 10;

/// A ttrpc message, header and body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn request(stream: u32, body: &[u8]) -> Message {
        Message::new(stream, REQUEST, body)
    }

    pub(super) fn response(stream: u32, body: &[u8]) -> Message {
        Message::new(stream, RESPONSE, body)
    }

    fn new(stream: u32, kind: u8, body: &[u8]) -> Message {
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend(stream.to_be_bytes());
        bytes.extend([kind, 0]);
        bytes.extend(body);
        Message(bytes)
    }

    /// Whether it is as long as its header says: a message that was not read from a socket may not be.
    pub(super) fn is_whole(&self) -> bool {
        self.0.len() >= HEADER && self.0.len() == HEADER + u32_at(&self.0, 0) as usize
    }

    pub(super) fn stream(&self) -> u32 {
        u32_at(&self.0, 4)
    }

    /// The same for another stream.
    pub(super) fn on_stream(mut self, stream: u32) -> Message {
        self.0[4..8].copy_from_slice(&stream.to_be_bytes());
        self
    }

    pub(super) fn is_request(&self) -> bool {
        self.0[8] == REQUEST
    }

    pub(super) fn is_response(&self) -> bool {
        self.0[8] == RESPONSE
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.0[HEADER..]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// One end of a socket that carries NRI.
#[derive(Debug)]
pub(super) struct Wire {
    socket: UnixStream,
    frame_header: Vec<u8>,
    /// The connection of the frame that is being received, and the number of its bytes that are to come.
    frame: (u32, usize),
    /// The received part of the next message, by connection.
    incoming: [Vec<u8>; 2],
    outgoing: Vec<u8>,
    sent: usize,
}

impl Wire {
    /// # Errors
    /// Those of the socket.
    pub(super) fn new(socket: UnixStream) -> io::Result<Wire> {
        socket.set_nonblocking(true)?;
        Ok(Wire {
            socket,
            frame_header: Vec::with_capacity(FRAME_HEADER),
            frame: (0, 0),
            incoming: Default::default(),
            outgoing: Vec::new(),
            sent: 0,
        })
    }

    /// Reads the available data, at most [`READ_SIZE`] bytes, and passes each complete message to `take`
    /// with its connection. Returns whether more may come.
    ///
    /// # Errors
    /// Those of the socket; the data is not NRI.
    pub(super) fn receive(&mut self, mut take: impl FnMut(u32, Message)) -> io::Result<bool> {
        let mut buffer = [0; READ_SIZE];
        let count = match self.socket.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if is_passing(&error) => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            if self.frame.1 == 0 {
                let (part, rest) = bytes.split_at(bytes.len().min(FRAME_HEADER - self.frame_header.len()));
                self.frame_header.extend(part);
                bytes = rest;
                if self.frame_header.len() == FRAME_HEADER {
                    let length = bounded(u32_at(&self.frame_header, 4), HEADER + MAX_BODY)?;
                    self.frame = (u32_at(&self.frame_header, 0), length);
                    self.frame_header.clear();
                }
                continue;
            }
            let (connection, left) = self.frame;
            let (part, rest) = bytes.split_at(bytes.len().min(left));
            self.frame.1 -= part.len();
            bytes = rest;
            let Some(incoming) = index(connection).map(|at| &mut self.incoming[at]) else {
                // The runtime's own mux does the same.
                continue;
            };
            incoming.extend(part);
            while let Some(message) = next_message(incoming)? {
                take(connection, message);
            }
        }
        Ok(true)
    }

    /// Sends `message`, as far as the socket takes it without waiting.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn send(&mut self, connection: u32, message: &Message) -> io::Result<()> {
        let bytes = &message.0;
        // A frame never holds more than one message, and a message has at most two frames.
        let first = match bytes.len() {
            short if short <= MAX_FIRST_PAYLOAD => short,
            _ => HEADER,
        };
        for payload in [&bytes[..first], &bytes[first..]] {
            if !payload.is_empty() {
                self.outgoing.extend(connection.to_be_bytes());
                self.outgoing.extend((payload.len() as u32).to_be_bytes());
                self.outgoing.extend(payload);
            }
        }
        self.flush()
    }

    /// Sends the rest, as far as the socket takes it without waiting.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.unsent() > 0 {
            match self.socket.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        empty(&mut self.outgoing);
        Ok(())
    }

    /// Whether no part of a message waits for its rest, in either direction.
    pub(super) fn is_quiet(&self) -> bool {
        let received =
            self.frame_header.len() + self.frame.1 + self.incoming.iter().map(Vec::len).sum::<usize>();
        received == 0 && self.unsent() == 0
    }

    #[cfg(test)]
    pub(super) fn into_socket(self) -> UnixStream {
        self.socket
    }

    /// The number of bytes that the socket has not taken yet.
    pub(super) fn unsent(&self) -> usize {
        self.outgoing.len() - self.sent
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn index(connection: u32) -> Option<usize> {
    match connection {
        PLUGIN => Some(0),
        RUNTIME => Some(1),
        _ => None,
    }
}

fn next_message(incoming: &mut Vec<u8>) -> io::Result<Option<Message>> {
    if incoming.len() < HEADER {
        return Ok(None);
    }
    let length = HEADER + bounded(u32_at(incoming, 0), MAX_BODY)?;
    if incoming.len() < length {
        return Ok(None);
    }
    let rest = incoming.split_off(length);
    Ok(Some(Message(std::mem::replace(incoming, rest))))
}

fn bounded(length: u32, limit: usize) -> io::Result<usize> {
    let length = length as usize;
    match length <= limit {
        true => Ok(length),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(four)
}
