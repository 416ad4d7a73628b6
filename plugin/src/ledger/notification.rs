//! Notifications: runners, which are other processes, notify the daemon that a stage is over, or that they
//! could not write its record.
//!
//! The socket is a datagram socket in the ledger. The process that finishes a stage sends one message. If no
//! daemon listens, nothing is lost: the record has the result.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{ContainerId, Stage};

/// The socket's name in the ledger.
const SOCKET: &str = "bell";

/// The maximum time that a runner waits for a slow daemon.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// The maximum length of a message, in bytes.
const LONGEST: usize = 2048;

/// The number of characters of an error that are sent.
pub(super) const MAX_TROUBLE: usize = 256;

/// A stage is over, or cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// The container.
    pub(crate) id: ContainerId,
    /// The stage.
    pub(crate) stage: Stage,
    /// The reason why the runner could not write its record; absent if the stage is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
}

impl Notification {
    /// Parses a `message` from the socket; `None` if no runner of a compatible release has sent it.
    pub(crate) fn parse(message: &[u8]) -> Option<Notification> {
        serde_json::from_slice(message).ok()
    }

    /// The maximum number of bytes of a message.
    pub(crate) const MAX_SIZE: usize = LONGEST;

    /// The stage of the record at path `record`, in the ledger's layout, and the ledger's root.
    fn of_record(record: &Path) -> Option<(Notification, &Path)> {
        let container = record.parent()?;
        let id = container.file_name()?.to_str()?.parse().ok()?;
        let stage = Stage::from_key(record.file_name()?.to_str()?)?;
        let trouble = None;
        Some((Notification { id, stage, trouble }, container.parent()?.parent()?))
    }
}

/// Notifies the daemon that the stage of the record at `record` is over. Errors are ignored, because the
/// record has the result.
pub(super) fn notify(record: &Path) {
    if let Some((notification, root)) = Notification::of_record(record) {
        send(root, &notification);
    }
}

/// Sends `notification` to the daemon of the ledger at `root`, if there is one.
pub(super) fn send(root: &Path, notification: &Notification) {
    let Ok(message) = serde_json::to_vec(notification) else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        socket.send_to(&message, root.join(SOCKET))
    });
    // No daemon listens, or it is too slow.
    let _ = sent;
}

/// Binds the socket in the ledger at `root`. If there are several daemons, the last to call this receives the
/// messages.
pub(super) fn bind(root: &Path) -> io::Result<UnixDatagram> {
    let path = root.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
