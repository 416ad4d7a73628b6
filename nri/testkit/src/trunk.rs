//! The only socket to a plugin: incoming frames, bounded and sorted by logical connection, and outgoing
//! frames.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream as BlockingStream;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc, watch};

use crate::buffered_reader::BufferedReader;
use crate::error::ConnectionEnd;
use crate::frame::{FrameHeader, PLUGIN_CONNECTION, RUNTIME_CONNECTION};

/// The maximum number of unread frames of a logical connection; one more closes the trunk.
const QUEUE: usize = 256;

/// The writing end of a trunk, and the state of its end.
#[derive(Debug)]
pub(crate) struct Trunk {
    writer: Mutex<OwnedWriteHalf>,
    /// Shuts the socket down for both reader and writer.
    socket: BlockingStream,
    end: watch::Sender<Option<ConnectionEnd>>,
}

/// A trunk with the reading ends of its two logical connections.
pub(crate) struct OpenTrunk {
    pub(crate) trunk: Arc<Trunk>,
    pub(crate) plugin: BufferedReader,
    pub(crate) runtime: BufferedReader,
}

impl Trunk {
    /// Starts to read frames from a socket. A longer payload than `longest` ends the trunk, if there is such a limit.
    pub(crate) fn open(stream: UnixStream, longest: Option<usize>) -> io::Result<OpenTrunk> {
        let stream = stream.into_std()?;
        let socket = stream.try_clone()?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let trunk = Arc::new(Self {
            writer: Mutex::new(writer),
            socket,
            end: watch::Sender::new(None),
        });
        let (plugin_frames, plugin) = mpsc::channel(QUEUE);
        let (runtime_frames, runtime) = mpsc::channel(QUEUE);
        let pump = Arc::clone(&trunk);
        tokio::spawn(async move {
            let end = pump_frames(reader, longest, &plugin_frames, &runtime_frames).await;
            pump.close(end);
        });
        Ok(OpenTrunk {
            trunk,
            plugin: BufferedReader::new(plugin),
            runtime: BufferedReader::new(runtime),
        })
    }

    /// Writes bytes as they are.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.writer.lock().await.write_all(bytes).await
    }

    /// Closes the trunk, for the given reason unless it is closed already.
    pub(crate) fn close(&self, reason: ConnectionEnd) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(reason);
            first
        });
        // An error means that the peer was first.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// The reason why the trunk is closed, if it is.
    pub(crate) fn end(&self) -> Option<ConnectionEnd> {
        self.end.borrow().clone()
    }

    /// Waits until the trunk is closed, and returns the reason.
    pub(crate) async fn closed(&self) -> ConnectionEnd {
        let mut end = self.end.subscribe();
        // The sender cannot be gone, because it is part of `self`.
        let reason = end
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        reason.unwrap_or(ConnectionEnd::ByRuntime)
    }
}

/// Reads frames until something ends the trunk.
async fn pump_frames(
    reader: OwnedReadHalf,
    longest: Option<usize>,
    plugin: &mpsc::Sender<Vec<u8>>,
    runtime: &mpsc::Sender<Vec<u8>>,
) -> ConnectionEnd {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    while let Ok(header) = read_header(&mut reader).await {
        let FrameHeader { connection, length } = header;
        if let Some(longest) = longest.filter(|longest| length as usize > *longest) {
            return ConnectionEnd::PayloadTooLong {
                connection,
                length,
                longest,
            };
        }
        let Ok(payload) = read_payload(&mut reader, length).await else {
            break;
        };
        let queue = match connection {
            PLUGIN_CONNECTION => plugin,
            RUNTIME_CONNECTION => runtime,
            _ => continue,
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(payload) {
            return ConnectionEnd::QueueFull { connection };
        }
    }
    ConnectionEnd::ByPlugin
}

/// Reads one frame, of any length: its logical connection and its payload.
pub(crate) async fn read_frame(reader: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<(u32, Vec<u8>)> {
    let FrameHeader { connection, length } = read_header(reader).await?;
    Ok((connection, read_payload(reader, length).await?))
}

async fn read_header(reader: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<FrameHeader> {
    let mut header = [0; FrameHeader::LEN];
    reader.read_exact(&mut header).await?;
    Ok(FrameHeader::decode(header))
}

/// Reads the payload of a frame. Memory is allocated only for data that has arrived.
async fn read_payload(reader: &mut (impl AsyncRead + Unpin + Send), length: u32) -> io::Result<Vec<u8>> {
    let length = length as usize;
    let mut payload = Vec::with_capacity(length.min(64 << 10));
    let read = reader.take(length as u64).read_to_end(&mut payload).await?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(payload)
}

/// A frame as bytes.
///
/// A payload of 4 GiB or more, which no caller has, would be announced with a wrong length.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn encode_frame(connection: u32, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        connection,
        length: payload.len() as u32,
    };
    [&header.encode()[..], payload].concat()
}
