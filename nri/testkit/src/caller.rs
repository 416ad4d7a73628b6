//! The runtime's ttrpc client: calls of the plugin, each with a deadline, and the answers as ttrpc-go reads
//! them.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_nri::{Code, Status};
use protobuf::Message;
use tokio::sync::oneshot;
use tokio::time::timeout;
use ttrpc::proto::{MESSAGE_LENGTH_MAX, MESSAGE_TYPE_RESPONSE};

use crate::buffered_reader::BufferedReader;
use crate::channel::{self, Oversized, Received};
use crate::error::ConnectionEnd;
use crate::frame::{PLUGIN_CONNECTION, PLUGIN_SERVICE};
use crate::outcome::NoAnswer;
use crate::trunk::Trunk;

/// The reason why a call has no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The plugin answered with an error, or with bytes that cannot be decoded.
    Refused(Status),
    /// The plugin did not answer; the trunk is closed, unless the plugin is to stay connected.
    NoAnswer(NoAnswer),
    /// The request is longer than a message may be, and was not sent.
    Oversized(usize),
}

/// The receiver of the next message.
enum Slot {
    /// No call is in progress: the message is dropped.
    Free,
    /// It goes to the call with this stream, if it is on that stream.
    Waiting(u32, oneshot::Sender<Received>),
    /// There is no next message: the connection has ended.
    Over,
}

/// Makes calls, one at a time.
pub(crate) struct Caller {
    trunk: Arc<Trunk>,
    /// The longest request that is sent.
    longest: usize,
    next_stream: u32,
    slot: Arc<Mutex<Slot>>,
}

impl Caller {
    /// Starts to read answers. A message for no call is dropped; bytes that are no ttrpc message end the
    /// trunk.
    pub(crate) fn new(trunk: Arc<Trunk>, mut reader: BufferedReader, longest: usize) -> Self {
        let slot = Arc::new(Mutex::new(Slot::Free));
        let caller = Self {
            trunk: Arc::clone(&trunk),
            longest,
            next_stream: 1,
            slot: Arc::clone(&slot),
        };
        tokio::spawn(async move {
            let error = loop {
                match channel::receive(&mut reader).await {
                    Ok(message) => hand_over(&slot, message),
                    Err(error) => break error,
                }
            };
            trunk.close(error.into());
            *lock(&slot) = Slot::Over;
        });
        caller
    }

    /// Calls a method with an encoded request. A timeout closes the trunk, unless the plugin is to stay connected.
    pub(crate) async fn call<A: Message>(
        &mut self,
        method: &str,
        payload: Vec<u8>,
        limit: Duration,
        keep_connected: bool,
    ) -> Result<A, CallError> {
        let stream = self.next_stream;
        self.next_stream = self.next_stream.wrapping_add(2);
        let request = ttrpc::Request {
            service: PLUGIN_SERVICE.to_owned(),
            method: method.to_owned(),
            payload,
            timeout_nano: i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX),
            ..Default::default()
        };
        let message = channel::encode_request(PLUGIN_CONNECTION, stream, &request, self.longest)
            .map_err(|Oversized { length }| CallError::Oversized(length))?;
        match timeout(limit, self.exchange(stream, &message)).await {
            Ok(Ok(received)) => self.decode(received),
            Ok(Err(end)) => Err(CallError::NoAnswer(NoAnswer::Closed(end))),
            Err(_) => {
                if !keep_connected {
                    self.trunk.close(ConnectionEnd::ByRuntime);
                }
                Err(CallError::NoAnswer(NoAnswer::Timeout(limit)))
            }
        }
    }

    async fn exchange(&self, stream: u32, message: &[u8]) -> Result<Received, ConnectionEnd> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut slot = lock(&self.slot);
            match *slot {
                // No answer would arrive.
                Slot::Over => drop(sender),
                Slot::Free | Slot::Waiting(..) => *slot = Slot::Waiting(stream, sender),
            }
        }
        if self.trunk.write(message).await.is_err() {
            self.trunk.close(ConnectionEnd::ByPlugin);
        }
        match receiver.await {
            Ok(received) => Ok(received),
            // The slot is over, and with it the trunk.
            Err(_) => Err(self.trunk.closed().await),
        }
    }

    fn decode<A: Message>(&self, received: Received) -> Result<A, CallError> {
        let Received { header, body } = received;
        let Some(body) = body else {
            let length = header.length;
            return Err(CallError::Refused(Status::new(
                Code::ResourceExhausted,
                format!("message length {length} exceed maximum message size of {MESSAGE_LENGTH_MAX}"),
            )));
        };
        if header.type_ != MESSAGE_TYPE_RESPONSE {
            let end = ConnectionEnd::Protocol(format!("unexpected message of type {}", header.type_));
            self.trunk.close(end.clone());
            return Err(CallError::NoAnswer(NoAnswer::Closed(end)));
        }
        let undecodable =
            |error| CallError::Refused(Status::new(Code::Unknown, format!("undecodable: {error}")));
        let response = ttrpc::Response::parse_from_bytes(&body).map_err(undecodable)?;
        match response
            .status
            .into_option()
            .filter(|status| status.code.value() != 0)
        {
            Some(status) => {
                let code = Code::from_number(status.code.value());
                Err(CallError::Refused(Status::new(code, status.message)))
            }
            None => A::parse_from_bytes(&response.payload).map_err(undecodable),
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a message to the call that waits for it.
fn hand_over(slot: &Mutex<Slot>, message: Received) {
    let mut slot = lock(slot);
    match mem::replace(&mut *slot, Slot::Free) {
        Slot::Waiting(stream, caller) if stream == message.header.stream_id => {
            // The caller may have given up.
            let _ = caller.send(message);
        }
        other => *slot = other,
    }
}
