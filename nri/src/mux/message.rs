//! The beginnings and ends of the messages in a ttrpc byte stream.

use crate::frame::MessageHeader;

/// A position in a ttrpc byte stream.
#[derive(Debug, Default)]
pub(super) struct Position {
    header: [u8; MessageHeader::LEN],
    header_filled: usize,
    body_left: usize,
}

impl Position {
    /// Whether the next byte is the first one of a message.
    pub(super) fn between_messages(&self) -> bool {
        self.header_filled == 0
    }

    /// The number of bytes left in the current part, header or body; never 0.
    pub(super) fn part_left(&self) -> usize {
        match MessageHeader::LEN - self.header_filled {
            0 => self.body_left,
            header_left => header_left,
        }
    }

    /// Moves over `bytes`, at most [`Position::part_left`] of them. Returns the header that they completed, if any.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<MessageHeader> {
        debug_assert!(bytes.len() <= self.part_left());
        let in_header = self.header_filled < MessageHeader::LEN;
        let mut completed = None;
        if in_header {
            let end = self.header_filled + bytes.len();
            self.header[self.header_filled..end].copy_from_slice(bytes);
            self.header_filled = end;
            if end == MessageHeader::LEN {
                let header = MessageHeader::decode(self.header);
                self.body_left = header.length as usize;
                completed = Some(header);
            }
        } else {
            self.body_left -= bytes.len();
        }
        if self.header_filled == MessageHeader::LEN && self.body_left == 0 {
            self.header_filled = 0;
        }
        completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stream: u32, body: usize) -> Vec<u8> {
        let mut bytes = (body as u32).to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([MessageHeader::REQUEST, 0]);
        bytes.resize(MessageHeader::LEN + body, 7);
        bytes
    }

    #[test]
    fn headers_and_ends_are_found_whatever_the_split() {
        let stream: Vec<u8> = [message(1, 5), message(3, 0), message(5, 1)].concat();
        for step in 1..=stream.len() {
            let mut position = Position::default();
            let mut headers = Vec::new();
            let mut ends = Vec::new();
            let mut at = 0;
            while at < stream.len() {
                let take = step.min(position.part_left()).min(stream.len() - at);
                headers.extend(
                    position
                        .advance(&stream[at..at + take])
                        .map(|header| header.stream),
                );
                at += take;
                if position.between_messages() {
                    ends.push(at);
                }
            }
            assert_eq!(headers, [1, 3, 5], "in steps of {step}");
            assert_eq!(ends, [15, 25, 36], "in steps of {step}");
        }
    }
}
