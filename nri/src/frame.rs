//! The framing of an NRI socket: connection ids, frame headers, ttrpc message headers, and their limits.
//!
//! One unix stream carries two logical connections. It is a sequence of frames, each a header and a payload;
//! the payloads of one connection, put together, are its ttrpc byte stream.

/// Connection on which the runtime calls the plugin (service `Plugin`).
pub(crate) const PLUGIN_CONNECTION: u32 = 1;

/// Connection on which the plugin calls the runtime (service `Runtime`).
pub(crate) const RUNTIME_CONNECTION: u32 = 2;

/// Longest body of a ttrpc message.
pub(crate) const MAX_BODY: usize = 4 << 20;

/// Longest payload of a frame: a whole ttrpc message of the longest kind.
pub(crate) const MAX_PAYLOAD: usize = MessageHeader::LEN + MAX_BODY;

/// Longest payload of a frame in which a ttrpc message starts.
///
/// The runtime reads message headers through a buffer of this size. Its frame reader returns a frame as a
/// whole or fails: a longer one ends the connection.
pub(crate) const MAX_FIRST_PAYLOAD: usize = 4096;

/// The header of a frame: the connection it belongs to, and the length of the payload that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The logical connection; 0 is reserved.
    pub(crate) connection: u32,
    /// Length of the payload in bytes, as the sender claims it: compare with [`MAX_PAYLOAD`] before use.
    pub(crate) length: u32,
}

impl FrameHeader {
    /// Bytes of an encoded header.
    pub(crate) const LEN: usize = 8;

    /// The header as bytes.
    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.connection.to_be_bytes());
        bytes[4..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// The header in these bytes.
    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            connection: u32::from_be_bytes([a, b, c, d]),
            length: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

/// The header of a ttrpc message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageHeader {
    /// Length of the body in bytes, as the sender claims it.
    pub(crate) length: u32,
    /// The call that the message belongs to.
    pub(crate) stream: u32,
    /// The kind of the message, for instance [`MessageHeader::REQUEST`].
    pub(crate) kind: u8,
    /// Flags of streams; 0 for NRI, which has only plain calls.
    pub(crate) flags: u8,
}

impl MessageHeader {
    /// Bytes of an encoded header.
    pub(crate) const LEN: usize = 10;

    /// Kind of a message that makes a call.
    pub(crate) const REQUEST: u8 = 1;

    /// Kind of a message that answers a call.
    pub(crate) const RESPONSE: u8 = 2;

    /// The header in these bytes.
    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, kind, flags] = bytes;
        Self {
            length: u32::from_be_bytes([a, b, c, d]),
            stream: u32::from_be_bytes([e, f, g, h]),
            kind,
            flags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_header_is_two_big_endian_words() {
        let header = FrameHeader {
            connection: RUNTIME_CONNECTION,
            length: 0x0102_0304,
        };
        assert_eq!(header.encode(), [0, 0, 0, 2, 1, 2, 3, 4]);
        assert_eq!(FrameHeader::decode(header.encode()), header);
    }

    #[test]
    fn a_message_header_is_length_stream_kind_and_flags() {
        let header = MessageHeader::decode([0, 0, 1, 0, 0, 0, 0, 3, 1, 4]);
        assert_eq!(
            header,
            MessageHeader {
                length: 256,
                stream: 3,
                kind: MessageHeader::REQUEST,
                flags: 4
            }
        );
    }
}
