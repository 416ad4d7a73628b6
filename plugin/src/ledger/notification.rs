//! The bell: runners, which are other processes, tell the daemon that a stage is over, or that they could
//! not write its record.
//!
//! It is a datagram socket in the ledger. Whoever finishes a stage rings, once; where no daemon
//! listens, nobody hears it, and nothing is lost but the moment.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{ContainerId, Stage};

/// The socket's name in the ledger.
const BELL: &str = "bell";

/// How long a runner waits for a daemon that does not keep up.
const PATIENCE: Duration = Duration::from_millis(100);

/// Longest message, in bytes.
const LONGEST: usize = 2048;

/// How many characters of an error are reported.
pub(super) const MAX_TROUBLE: usize = 256;

/// That a stage is over, or cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Of which container.
    pub id: ContainerId,
    /// Which stage.
    pub stage: Stage,
    /// Why the runner could not write its record; absent if the stage is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Notification {
    /// What `message`, which came through the socket, says; `None` if it is not from a runner of
    /// this release's kind.
    pub fn parse(message: &[u8]) -> Option<Notification> {
        serde_json::from_slice(message).ok()
    }

    /// How many bytes a message has at the most.
    pub const MAX_SIZE: usize = LONGEST;

    /// The stage whose record is at `record`, in the ledger's layout, and the ledger's root.
    fn of_record(record: &Path) -> Option<(Notification, &Path)> {
        let container = record.parent()?;
        let id = container.file_name()?.to_str()?.parse().ok()?;
        let stage = Stage::from_key(record.file_name()?.to_str()?)?;
        let trouble = None;
        Some((Notification { id, stage, trouble }, container.parent()?.parent()?))
    }
}

/// Tells the daemon that the stage whose record is at `record` is over. Trouble is nobody's: the
/// record says all.
pub(super) fn ring(record: &Path) {
    if let Some((notification, root)) = Notification::of_record(record) {
        send(root, &notification);
    }
}

/// Reports `notification` to the daemon of the ledger at `root`, if there is one.
pub(super) fn send(root: &Path, notification: &Notification) {
    let Ok(message) = serde_json::to_vec(notification) else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send_to(&message, root.join(BELL))
    });
    // No daemon listens, or it does not keep up.
    let _ = sent;
}

/// The socket that rings in the ledger at `root`. Of several daemons the one that asked last hears
/// it.
pub(super) fn hang(root: &Path) -> io::Result<UnixDatagram> {
    let path = root.join(BELL);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
