//! A connection without rules, for tests that send data which no real runtime would send.

use std::io;

use protobuf::Message;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use ttrpc::proto::MESSAGE_LENGTH_MAX;

use crate::channel;
use crate::frame::{PLUGIN_CONNECTION, PLUGIN_SERVICE};
use crate::trunk::{encode_frame, read_frame};

/// A frame of the multiplexer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The logical connection: 1 for calls of the plugin, 2 for calls of the runtime.
    pub connection: u32,
    /// Bytes of that connection's ttrpc stream.
    pub payload: Vec<u8>,
}

/// A connection to a plugin, or as a plugin, that answers, checks and closes nothing by itself.
#[derive(Debug)]
pub struct RawConnection {
    stream: BufReader<UnixStream>,
}

impl RawConnection {
    /// Wraps a connected socket, of either side.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the peer has closed the connection.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// If the peer has closed the connection.
    pub async fn write_frame(&mut self, connection: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&encode_frame(connection, payload)).await
    }

    /// Waits for the next frame. None at the end of the connection.
    pub async fn read_frame(&mut self) -> Option<Frame> {
        let (connection, payload) = read_frame(&mut self.stream).await.ok()?;
        Some(Frame { connection, payload })
    }

    /// Sends a request to the plugin as a runtime would, but on any stream of the ttrpc connection.
    ///
    /// # Errors
    /// If the request is longer than 4 MiB, or the peer has closed the connection.
    pub async fn write_request(
        &mut self,
        stream: u32,
        method: &str,
        message: &impl Message,
    ) -> io::Result<()> {
        let request = ttrpc::Request {
            service: PLUGIN_SERVICE.to_owned(),
            method: method.to_owned(),
            payload: message.write_to_bytes()?,
            timeout_nano: 2_000_000_000,
            ..Default::default()
        };
        let bytes = channel::encode_request(PLUGIN_CONNECTION, stream, &request, MESSAGE_LENGTH_MAX)
            .map_err(|oversized| io::Error::other(format!("a request of {} bytes", oversized.length)))?;
        self.write(&bytes).await
    }
}
