//! ttrpc messages on a logical connection, split into frames and assembled as ttrpc-go does it.

use std::io;

use protobuf::Message as _;
use ttrpc::proto::{MESSAGE_HEADER_LENGTH, MESSAGE_LENGTH_MAX, MessageHeader};

use crate::buffered_reader::{BufferedReader, ReadError};
use crate::frame::MAX_FIRST_PAYLOAD;
use crate::trunk::{Trunk, encode_frame};

/// A received message.
pub(crate) struct Received {
    pub(crate) header: MessageHeader,
    /// The bytes after the header; `None` if they were longer than a message may be and were skipped.
    pub(crate) body: Option<Vec<u8>>,
}

/// The body is longer than a message may be; nothing was sent.
#[derive(Debug)]
pub(crate) struct Oversized {
    pub(crate) length: usize,
}

/// Reads the next message.
pub(crate) async fn receive(reader: &mut BufferedReader) -> Result<Received, ReadError> {
    let mut header = [0; MESSAGE_HEADER_LENGTH];
    reader.read_full(&mut header).await?;
    let header = MessageHeader::from(header);
    let length = header.length as usize;
    if length > MESSAGE_LENGTH_MAX {
        reader.discard(length).await?;
        return Ok(Received { header, body: None });
    }
    let mut body = vec![0; length];
    reader.read_full(&mut body).await?;
    Ok(Received {
        header,
        body: Some(body),
    })
}

/// A request as bytes, if its body is no longer than `longest`.
pub(crate) fn encode_request(
    connection: u32,
    stream: u32,
    request: &ttrpc::Request,
    longest: usize,
) -> Result<Vec<u8>, Oversized> {
    let body = request.write_to_bytes().unwrap_or_default();
    encode(connection, MessageHeader::new_request(stream, 0), body, longest)
}

/// Sends a response.
pub(crate) async fn send_response(
    trunk: &Trunk,
    connection: u32,
    stream: u32,
    response: &ttrpc::Response,
) -> io::Result<()> {
    let body = response.write_to_bytes().unwrap_or_default();
    let header = MessageHeader::new_response(stream, 0);
    match encode(connection, header, body, MESSAGE_LENGTH_MAX) {
        Ok(bytes) => trunk.write(&bytes).await,
        Err(Oversized { length }) => Err(io::Error::other(format!(
            "a response of {length} bytes is too long"
        ))),
    }
}

/// Cuts a message into frames as Go's `bufio.Writer` does: the first 4096 bytes, then all the rest.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the length is checked, or that of a message in memory of a test"
)]
fn encode(
    connection: u32,
    mut header: MessageHeader,
    body: Vec<u8>,
    longest: usize,
) -> Result<Vec<u8>, Oversized> {
    if body.len() > longest {
        return Err(Oversized { length: body.len() });
    }
    header.length = body.len() as u32;
    let mut message = Vec::from(header);
    message.extend(body);
    if message.len() <= MAX_FIRST_PAYLOAD {
        return Ok(encode_frame(connection, &message));
    }
    let (first, rest) = message.split_at(MAX_FIRST_PAYLOAD);
    let mut frames = encode_frame(connection, first);
    frames.extend(encode_frame(connection, rest));
    Ok(frames)
}
