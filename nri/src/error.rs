//! The errors of a connection to a runtime.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::status::Status;

/// Why there is no connection to the runtime, or no longer one.
///
/// An error prints its cause, and has therefore no [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket of the runtime could not be reached.
    #[error("cannot connect to the NRI socket {}: {cause}; is the runtime up, with NRI enabled?", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },

    /// The runtime refuses this plugin.
    #[error("the runtime refused to register plugin {plugin}: {status}")]
    Refused {
        /// Index and name, as registered.
        plugin: String,
        /// The answer of the runtime.
        status: Status,
    },

    /// The runtime did not answer the registration.
    #[error("the runtime did not answer the registration of plugin {plugin} within {limit:?}")]
    RegistrationTimeout {
        /// Index and name, as registered.
        plugin: String,
        /// The time limit.
        limit: Duration,
    },

    /// The runtime closed the connection: it stopped, or it dropped the plugin after a missed deadline or a wrong answer.
    #[error("the runtime closed the connection")]
    Closed,

    /// The connection ended in the middle of a frame.
    #[error("the runtime closed the connection in the middle of a frame")]
    ClosedMidFrame,

    /// The runtime sent data that is not NRI.
    #[error(
        "the runtime announced a frame of {length} bytes on connection {connection}; the longest allowed is {} bytes",
        crate::frame::MAX_PAYLOAD
    )]
    FrameTooLong {
        /// The logical connection of the frame.
        connection: u32,
        /// The announced length in bytes.
        length: u32,
    },

    /// The ttrpc half of the connection gave up, for instance because a call could not be written in time.
    #[error("the ttrpc connection ended before the socket did")]
    RpcEnded,

    /// The socket failed.
    #[error("the connection to the runtime failed: {0}")]
    Io(io::Error),

    /// There is no connection to call the runtime on.
    #[error("the plugin is not connected to the runtime")]
    Disconnected,

    /// A call to the runtime failed.
    #[error("{method} failed: {status}")]
    Call {
        /// The method of the runtime.
        method: &'static str,
        /// The answer of the runtime, or the reason why there is none.
        status: Status,
    },

    /// The environment of a plugin that the runtime launched is not that of NRI.
    #[error("cannot run as a plugin launched by the runtime: {variable}={value}: {problem}")]
    Launch {
        /// The invalid environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The fault.
        problem: String,
    },
}

impl Error {
    /// Whether the runtime has refused, rather than not answered.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
