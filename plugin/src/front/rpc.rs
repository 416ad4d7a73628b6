//! The front's knowledge of ttrpc and NRI: the kind of a request, the deadline of its answer, and answers
//! without content.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::Message;

/// The default of every runtime, also used for a runtime that sends no limit.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The metadata with the time at which a request came, for the daemon, in nanoseconds of the monotonic
/// clock.
const RECEIVED_AT: &str = containerd_nri::RECEIVED_AT;

/// `Event.START_CONTAINER`.
const START_CONTAINER: u64 = 6;

// Codes of google.rpc.Status.
const FAILED_PRECONDITION: u64 = 9;
const UNIMPLEMENTED: u64 = 12;

/// The kind of a request, as far as the front needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Register,
    Configure,
    Synchronize {
        /// Whether another part follows.
        more: bool,
    },
    /// CreateContainer or StartContainer: the container goes without hooks if the answer is empty.
    Decision,
    Other,
}

/// The answer to the runtime's Configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscription {
    events: u64,
    /// Whether a request without a decision is refused.
    pub(super) fails: bool,
    keeps_connected: bool,
}

/// The kind of the request in `body`, and the time for which the runtime waits for the answer.
pub(super) fn request(body: &[u8]) -> (Method, Duration) {
    let (mut method, mut payload, mut timeout) = (&[][..], &[][..], REQUEST_TIMEOUT);
    for field in Fields(body) {
        match field {
            (2, Value::Bytes(bytes)) => method = bytes,
            (3, Value::Bytes(bytes)) => payload = bytes,
            (4, Value::Number(nanos)) if i64::try_from(nanos).is_ok_and(|nanos| nanos > 0) => {
                timeout = Duration::from_nanos(nanos);
            }
            _ => {}
        }
    }
    let has = |number, wanted| {
        let mut fields = Fields(payload);
        fields.any(|field| matches!(field, (at, Value::Number(value)) if (at, value) == (number, wanted)))
    };
    let method = match method {
        b"RegisterPlugin" => Method::Register,
        b"Configure" => Method::Configure,
        b"Synchronize" => Method::Synchronize { more: has(3, 1) },
        b"CreateContainer" | b"StartContainer" => Method::Decision,
        b"StateChange" if has(1, START_CONTAINER) => Method::Decision,
        _ => Method::Other,
    };
    (method, timeout)
}

/// The request, with the time at which it came.
pub(super) fn received_at(request: &Message, moment: Duration) -> Message {
    let value = moment.as_nanos().to_string();
    let mut pair = Vec::new();
    put_bytes(&mut pair, 1, RECEIVED_AT.as_bytes());
    put_bytes(&mut pair, 2, value.as_bytes());
    let mut body = request.body().to_vec();
    put_bytes(&mut body, 5, &pair);
    Message::request(request.stream(), &body)
}

/// A Synchronize without pods and containers.
pub(super) fn synchronize(stream: u32) -> Message {
    let mut body = Vec::new();
    put_bytes(&mut body, 1, b"nri.pkg.api.v1alpha1.Plugin");
    put_bytes(&mut body, 2, b"Synchronize");
    Message::request(stream, &body)
}

/// The answer to a request of this kind that changes nothing.
pub(super) fn empty(stream: u32, method: Method) -> Message {
    let mut body = Vec::new();
    if method == (Method::Synchronize { more: true }) {
        let mut payload = Vec::new();
        put_number(&mut payload, 2, 1);
        put_bytes(&mut body, 2, &payload);
    }
    Message::response(stream, &body)
}

/// The answer that fails a request.
pub(super) fn refusal(stream: u32, text: &str) -> Message {
    failure(stream, FAILED_PRECONDITION, text)
}

/// The answer to an unknown call.
pub(super) fn unknown(stream: u32) -> Message {
    failure(
        stream,
        UNIMPLEMENTED,
        "the front of nri-oci-hooks accepts only RegisterPlugin",
    )
}

fn failure(stream: u32, code: u64, text: &str) -> Message {
    let (mut status, mut body) = (Vec::new(), Vec::new());
    put_number(&mut status, 1, code);
    put_bytes(&mut status, 2, text.as_bytes());
    put_bytes(&mut body, 1, &status);
    Message::response(stream, &body)
}

/// Whether the response in `body` is no error.
pub(super) fn is_ok(body: &[u8]) -> bool {
    let status = Fields(body).find_map(|field| match field {
        (1, Value::Bytes(status)) => Some(status),
        _ => None,
    });
    let code = Fields(status.unwrap_or_default()).find(|(number, _)| *number == 1);
    matches!(code, None | Some((_, Value::Number(0))))
}

/// The subscription in the response to Configure in `body`.
pub(super) fn subscription(body: &[u8]) -> Subscription {
    let mut subscription = Subscription {
        events: 0,
        fails: false,
        keeps_connected: false,
    };
    let payload = Fields(body).find_map(|field| match field {
        (2, Value::Bytes(payload)) => Some(payload),
        _ => None,
    });
    for field in Fields(payload.unwrap_or_default()) {
        match field {
            (2, Value::Number(events)) => subscription.events = events,
            (3, Value::Bytes(policy)) => {
                for field in Fields(policy) {
                    match field {
                        (1, Value::Number(value)) => subscription.fails = value != 0,
                        (2, Value::Number(value)) => subscription.keeps_connected = value != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    subscription
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, up to the first that NRI does not use.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn put_number(to: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(to, field << 3);
    put_varint(to, value);
}

fn put_bytes(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(to, field << 3 | 2);
    put_varint(to, bytes.len() as u64);
    to.extend(bytes);
}
