//! The frames of an NRI socket, implemented a second time: the fake runtime shares no such code with plugins.

/// Connection on which the runtime calls the plugin.
pub(crate) const PLUGIN_CONNECTION: u32 = 1;

/// The service on that connection.
pub(crate) const PLUGIN_SERVICE: &str = "nri.pkg.api.v1alpha1.Plugin";

/// Connection on which the plugin calls the runtime.
pub(crate) const RUNTIME_CONNECTION: u32 = 2;

/// Longest payload of a frame: a header of ttrpc and the longest body.
pub(crate) const MAX_PAYLOAD: usize = 10 + (4 << 20);

/// Longest payload of the first frame of a message, as Go's buffer cuts it.
pub(crate) const MAX_FIRST_PAYLOAD: usize = 4096;

/// The header of a frame: two words, big-endian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    /// The logical connection.
    pub(crate) connection: u32,
    /// Bytes of the payload that follows, as the sender claims.
    pub(crate) length: u32,
}

impl FrameHeader {
    /// Bytes of an encoded header.
    pub(crate) const LEN: usize = 8;

    /// The header as bytes.
    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        (u64::from(self.connection) << 32 | u64::from(self.length)).to_be_bytes()
    }

    /// The header in these bytes.
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let word = u64::from_be_bytes(bytes);
        Self {
            connection: (word >> 32) as u32,
            length: word as u32,
        }
    }
}
