//! Parses the incoming frames, in pieces of any length.

use crate::error::Error;
use crate::frame::{FrameHeader, MAX_PAYLOAD};

/// A position in the stream of incoming frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; FrameHeader::LEN],
    header_filled: usize,
    connection: u32,
    payload_left: usize,
}

impl Frames {
    /// Whether the next byte is the first one of a frame.
    pub(super) fn between_frames(&self) -> bool {
        self.header_filled == 0
    }

    /// Reads the next bytes of the stream and passes each piece of payload, with its connection, to
    /// `deliver`.
    ///
    /// # Errors
    /// [`Error::FrameTooLong`] if a header announces more than a frame can hold; no memory was allocated for
    /// it.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        mut deliver: impl FnMut(u32, &[u8]),
    ) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.header_filled < FrameHeader::LEN {
                let count = bytes.len().min(FrameHeader::LEN - self.header_filled);
                let (part, rest) = bytes.split_at(count);
                self.header[self.header_filled..self.header_filled + count].copy_from_slice(part);
                self.header_filled += count;
                bytes = rest;
                if self.header_filled < FrameHeader::LEN {
                    return Ok(());
                }
                let FrameHeader { connection, length } = FrameHeader::decode(self.header);
                if length as usize > MAX_PAYLOAD {
                    return Err(Error::FrameTooLong { connection, length });
                }
                self.connection = connection;
                self.payload_left = length as usize;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.payload_left));
            if !part.is_empty() {
                deliver(self.connection, part);
            }
            self.payload_left -= part.len();
            bytes = rest;
            if self.payload_left == 0 {
                self.header_filled = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(connection: u32, payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader {
            connection,
            length: payload.len() as u32,
        };
        [&header.encode(), payload].concat()
    }

    #[test]
    fn payloads_reach_their_connection_whatever_the_split() {
        let stream = [
            frame(1, b"one"),
            frame(2, b"two"),
            frame(1, b""),
            frame(9, b"?"),
            frame(1, b"three"),
        ]
        .concat();
        for step in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut got: [Vec<u8>; 10] = Default::default();
            for piece in stream.chunks(step) {
                frames
                    .take(piece, |connection, part| {
                        got[connection as usize].extend_from_slice(part)
                    })
                    .unwrap();
            }
            assert!(frames.between_frames());
            assert_eq!(
                (&got[1][..], &got[2][..], &got[9][..]),
                (&b"onethree"[..], &b"two"[..], &b"?"[..])
            );
        }
    }

    #[test]
    fn a_frame_longer_than_a_message_can_be_is_refused_at_its_header() {
        for (length, fits) in [
            (MAX_PAYLOAD as u32, true),
            (MAX_PAYLOAD as u32 + 1, false),
            (u32::MAX, false),
        ] {
            let header = FrameHeader {
                connection: 1,
                length,
            }
            .encode();
            let taken = Frames::default().take(&header, |_, _| {});
            assert_eq!(taken.is_ok(), fits, "length {length}");
        }
    }
}
