//! One outgoing message: written as ttrpc bytes, sent as frames.

use std::io;

use super::message::Position;
use crate::frame::{FrameHeader, MAX_BODY, MAX_FIRST_PAYLOAD, MessageHeader};

/// Buffers larger than this are freed once their message is sent.
const KEPT_CAPACITY: usize = 16 << 10;

/// The message of one connection that is being written or sent.
///
/// A message of up to 4096 bytes is one frame. A longer one is two: its header, then all the rest. A frame never
/// holds parts of two messages. Anything else can end the connection at the runtime's side; see
/// [`MAX_FIRST_PAYLOAD`].
#[derive(Debug)]
pub(super) struct Outgoing {
    connection: u32,
    position: Position,
    header: Option<MessageHeader>,
    frames: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    /// Nothing to send yet on `connection`.
    pub(super) fn new(connection: u32) -> Self {
        Self {
            connection,
            position: Position::default(),
            header: None,
            frames: Vec::new(),
            sent: 0,
        }
    }

    /// The header of the message, once that is complete and waits to be sent.
    pub(super) fn complete(&self) -> Option<MessageHeader> {
        self.header.filter(|_| self.position.between_messages())
    }

    /// Whether a part of the message is sent, and the rest must follow before any other message.
    pub(super) fn is_begun(&self) -> bool {
        self.sent > 0
    }

    /// Appends bytes of the message, up to its end; returns their number. Must not be called on a complete
    /// message.
    ///
    /// # Errors
    /// `InvalidInput` if the message announces a body longer than ttrpc allows: no part of it is ever sent.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && self.complete().is_none() {
            let part = &bytes[taken..bytes.len().min(taken + self.position.part_left())];
            if self.frames.is_empty() {
                self.frames.extend([0; FrameHeader::LEN]);
            }
            self.frames.extend_from_slice(part);
            taken += part.len();
            if let Some(header) = self.position.advance(part) {
                self.lay_out(header)?;
            }
        }
        Ok(taken)
    }

    /// Writes the frame headers, now that the length of the message is known.
    fn lay_out(&mut self, header: MessageHeader) -> io::Result<()> {
        let body = header.length as usize;
        if body > MAX_BODY {
            let problem =
                format!("cannot send a message of {body} bytes: the longest allowed is {MAX_BODY} bytes");
            *self = Self::new(self.connection);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let whole = MessageHeader::LEN + body;
        if whole <= MAX_FIRST_PAYLOAD {
            let frame = self.frame_header(whole);
            self.frames[..FrameHeader::LEN].copy_from_slice(&frame);
            self.frames.reserve_exact(body);
        } else {
            let (first, second) = (self.frame_header(MessageHeader::LEN), self.frame_header(body));
            self.frames[..FrameHeader::LEN].copy_from_slice(&first);
            self.frames.reserve_exact(FrameHeader::LEN + body);
            self.frames.extend(second);
        }
        self.header = Some(header);
        Ok(())
    }

    /// The header of a frame with a payload of `length` bytes, which is at most [`crate::frame::MAX_PAYLOAD`].
    fn frame_header(&self, length: usize) -> [u8; FrameHeader::LEN] {
        FrameHeader {
            connection: self.connection,
            length: length as u32,
        }
        .encode()
    }

    /// The bytes of the complete message that are still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.frames[self.sent..]
    }

    /// Records that the first `count` bytes of [`Outgoing::unsent`] are sent.
    pub(super) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent < self.frames.len() {
            return;
        }
        self.sent = 0;
        self.header = None;
        if self.frames.capacity() > KEPT_CAPACITY {
            self.frames = Vec::new();
        } else {
            self.frames.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MAX_PAYLOAD;

    fn message(length: usize) -> Vec<u8> {
        let body = length - MessageHeader::LEN;
        let mut bytes = (body as u32).to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, 1, MessageHeader::RESPONSE, 0]);
        bytes.extend((0..body).map(|at| at as u8));
        bytes
    }

    fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk() {
            let header = FrameHeader::decode(*header);
            assert_eq!(header.connection, 1);
            let (payload, rest) = rest.split_at(header.length as usize);
            frames.push(payload.to_vec());
            bytes = rest;
        }
        assert!(bytes.is_empty());
        frames
    }

    fn sent_in_steps_of(step: usize, message: &[u8]) -> Vec<Vec<u8>> {
        let mut outgoing = Outgoing::new(1);
        for part in message.chunks(step) {
            assert!(outgoing.complete().is_none());
            assert_eq!(outgoing.take(part).unwrap(), part.len());
        }
        assert_eq!(outgoing.complete().map(|header| header.stream), Some(1));
        let sent = frames(outgoing.unsent());
        outgoing.mark_sent(outgoing.unsent().len());
        assert!(outgoing.complete().is_none() && outgoing.unsent().is_empty());
        sent
    }

    #[test]
    fn a_message_of_up_to_4096_bytes_is_one_frame_however_it_was_written() {
        for length in [10, 11, 500, 4096] {
            let message = message(length);
            for step in [1, 2, 3, 9, 10, 11, 499, 4096] {
                assert_eq!(sent_in_steps_of(step, &message), std::slice::from_ref(&message));
            }
        }
    }

    #[test]
    fn a_longer_message_is_its_header_and_the_rest_however_it_was_written() {
        for length in [4097, 5000, 100_000] {
            let message = message(length);
            for step in [1, 9, 10, 11, 4096, 100_000] {
                assert_eq!(sent_in_steps_of(step, &message), [&message[..10], &message[10..]]);
            }
        }
    }

    #[test]
    fn a_frame_never_holds_the_start_of_the_next_message() {
        let two = [message(20), message(30)].concat();
        let mut outgoing = Outgoing::new(1);
        assert_eq!(outgoing.take(&two).unwrap(), 20);
        assert_eq!(frames(outgoing.unsent()), [&two[..20]]);
    }

    #[test]
    fn a_message_longer_than_ttrpc_allows_is_refused_with_both_sizes_and_never_sent() {
        for body in [MAX_BODY as u32 + 1, u32::MAX] {
            let mut header = body.to_be_bytes().to_vec();
            header.extend([0, 0, 0, 1, MessageHeader::RESPONSE, 0]);
            let mut outgoing = Outgoing::new(1);
            let error = outgoing.take(&header).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(
                text.contains(&body.to_string()) && text.contains(&MAX_BODY.to_string()),
                "{text}"
            );
            assert!(outgoing.unsent().is_empty() && outgoing.complete().is_none());
        }
    }

    #[test]
    fn no_frame_of_the_longest_message_is_longer_than_a_payload_can_be() {
        let message = message(MAX_PAYLOAD);
        let frames = sent_in_steps_of(MAX_PAYLOAD, &message);
        assert!(frames.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
        assert_eq!(frames.concat(), message);
    }

    #[test]
    fn the_buffer_of_a_long_message_is_given_back() {
        let mut outgoing = Outgoing::new(1);
        let message = message(1 << 20);
        outgoing.take(&message).unwrap();
        outgoing.mark_sent(outgoing.unsent().len());
        assert_eq!(outgoing.frames.capacity(), 0);
    }
}
