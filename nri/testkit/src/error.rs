//! The reasons why a plugin got no events, and why a connection ended.

use std::io;
use std::time::Duration;

use containerd_nri::Status;

/// The reason why a plugin was not accepted: the failed step, and the plugin's reaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The socket failed.
    #[error("failed to accept a plugin: {0}")]
    Socket(io::Error),
    /// The program could not be started.
    #[error("failed to launch the plugin {program}: {cause}")]
    Launch {
        /// The program.
        program: String,
        /// The cause.
        cause: io::Error,
    },
    /// There was no RegisterPlugin in time; the connection is closed.
    #[error("the plugin did not register within {timeout:?}{}", unreadable.as_ref().map(|end| format!(": {end}")).unwrap_or_default())]
    RegistrationTimeout {
        /// The registration timeout.
        timeout: Duration,
        /// The fault that made the plugin's connection unreadable, if that is the reason.
        unreadable: Option<ConnectionEnd>,
    },
    /// RegisterPlugin had an invalid name or index. The connection stays open until the runtime ends.
    #[error("the plugin registered with {0}")]
    InvalidIdentity(String),
    /// The connection ended before RegisterPlugin.
    #[error("the connection ended before the plugin registered: {0}")]
    ClosedBeforeRegistration(ConnectionEnd),
    /// Configure was refused or not answered; the connection is closed.
    #[error("failed to configure the plugin: {0}")]
    Configure(Unfinished),
    /// The answer to Configure subscribes to events that the runtime does not know; the connection is closed.
    #[error("invalid plugin events: {0:#x}")]
    InvalidEvents(i32),
    /// Synchronize was refused or not answered. Before NRI 0.8 the connection stays open and no event follows.
    #[error("failed to synchronize the plugin: {0}")]
    Synchronize(Unfinished),
    /// The state needs more than 4 MiB and cannot be split further.
    #[error("a Synchronize of {length} bytes does not fit into messages of 4 MiB")]
    SynchronizeTooLong {
        /// Bytes of the message that did not fit.
        length: usize,
    },
    /// The plugin answered a message of a split Synchronize with updates, or without `more`.
    #[error("plugin does not handle split sync requests")]
    NoSplitSynchronize,
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// The end of a call of the handshake without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfinished {
    /// The plugin answered with an error.
    #[error("{0}")]
    Refused(Status),
    /// The plugin did not answer.
    #[error("{0}")]
    NoAnswer(crate::NoAnswer),
}

/// The reason why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// The plugin closed it, or died.
    #[error("the plugin closed the connection")]
    ByPlugin,
    /// The runtime closed it: a timeout, a refusal, a restart, or the end of the handle.
    #[error("the runtime closed the connection")]
    ByRuntime,
    /// The plugin sent more frames than the runtime had read and could keep (256).
    #[error("failed to queue payload for reading: 256 frames of connection {connection} are unread")]
    QueueFull {
        /// The logical connection.
        connection: u32,
    },
    /// A frame was longer than the buffer that the runtime reads into at that point.
    #[error("cannot allocate memory: a frame of {length} bytes, where at most {limit} can be read at once")]
    FrameTooLong {
        /// Bytes of the frame.
        length: usize,
        /// Bytes of the buffer.
        limit: usize,
    },
    /// A frame had a longer payload than the protocol has (checked by the runtime since NRI 0.12.5).
    #[error("conn {connection}: frame payload {length} bytes, maximum is {longest}")]
    PayloadTooLong {
        /// The logical connection.
        connection: u32,
        /// Bytes of the payload, as announced.
        length: u32,
        /// Bytes of the longest payload.
        longest: usize,
    },
    /// The plugin sent bytes that are no ttrpc message of the expected kind.
    #[error("ttrpc protocol error: {0}")]
    Protocol(String),
}
