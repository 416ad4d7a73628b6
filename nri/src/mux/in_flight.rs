//! The requests of the runtime that wait for their answer, and the limits of their number.

use crate::frame::MessageHeader;

/// The maximum number of requests in progress. The runtime makes one call at a time; the others are for calls
/// that it gave up.
const MAX_REQUESTS: usize = 16;

/// The number of bytes of requests in progress above which no further one is accepted: each is held while it
/// is answered.
const MAX_BYTES: u64 = 1 << 20;

/// Requests that were passed to the ttrpc server and have no answer yet.
///
/// The server starts a task for every request it reads and sets no limit. The limit is set here, by passing
/// it no further request: the socket fills up and the runtime waits.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    requests: Vec<(u32, u64)>,
    bytes: u64,
}

impl InFlight {
    /// Whether a further request has to wait until one is answered.
    pub(super) fn is_full(&self) -> bool {
        self.requests.len() >= MAX_REQUESTS || self.bytes >= MAX_BYTES
    }

    /// Whether every request was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Counts a message on its way to the server; only requests are answered, so only they count.
    pub(super) fn begin(&mut self, header: MessageHeader) {
        if header.kind == MessageHeader::REQUEST {
            let bytes = u64::from(header.length);
            self.requests.push((header.stream, bytes));
            self.bytes += bytes;
        }
    }

    /// Counts a message on its way to the runtime.
    pub(super) fn end(&mut self, header: MessageHeader) {
        if header.kind != MessageHeader::RESPONSE {
            return;
        }
        if let Some(at) = self
            .requests
            .iter()
            .position(|(stream, _)| *stream == header.stream)
        {
            let (_, bytes) = self.requests.swap_remove(at);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, stream: u32, length: u32) -> MessageHeader {
        MessageHeader {
            length,
            stream,
            kind,
            flags: 0,
        }
    }

    #[test]
    fn sixteen_requests_are_the_limit_until_one_is_answered() {
        let mut in_flight = InFlight::default();
        for stream in 0..16 {
            assert!(!in_flight.is_full());
            in_flight.begin(header(MessageHeader::REQUEST, stream, 1));
        }
        assert!(in_flight.is_full());
        in_flight.end(header(MessageHeader::RESPONSE, 7, 1));
        assert!(!in_flight.is_full());
    }

    #[test]
    fn a_mebibyte_of_requests_is_the_limit() {
        let mut in_flight = InFlight::default();
        in_flight.begin(header(MessageHeader::REQUEST, 1, u32::MAX));
        assert!(in_flight.is_full());
        in_flight.end(header(MessageHeader::RESPONSE, 1, 0));
        assert!(in_flight.is_empty() && !in_flight.is_full());
    }

    #[test]
    fn only_requests_count_since_nothing_else_is_answered() {
        let mut in_flight = InFlight::default();
        in_flight.begin(header(3, 1, 1));
        assert!(in_flight.is_empty());
        in_flight.end(header(MessageHeader::RESPONSE, 9, 0));
        assert!(in_flight.is_empty());
    }
}
