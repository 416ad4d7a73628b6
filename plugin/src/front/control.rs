//! The messages between front and daemon beside the connection: one datagram each.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::system;

/// Names the descriptor of the daemon's end.
pub(super) const VARIABLE: &str = "NRI_OCI_HOOKS_FRONT";

/// Names the descriptor of the memory that an earlier daemon on the same connection has left.
pub(super) const NOTES: &str = "NRI_OCI_HOOKS_NOTES";

/// The maximum length of a message.
const MAX_LENGTH: usize = 4096;

/// A message of the daemon.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromDaemon {
    /// It has begun, and its program takes over a front that hands over in this format.
    Began(u32),
    /// It runs.
    Alive,
    /// It has entered the host's mount namespace.
    EnteredHost,
    /// It requests a connection to the runtime that the front holds.
    Wanted,
    /// The front must hold the connection that comes with this.
    Connected,
    /// A message for the service manager, in the form of sd_notify(3).
    Notify(String),
    /// The memory that comes with this is for the next daemon on the same connection.
    Noted,
    /// It ends with this status. The kernel may keep a thread of it, and so the process, for an unlimited
    /// time.
    Ended(u8),
}

/// A message of the front.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromFront {
    /// The daemon's end of a connection comes with this.
    Session(Report),
    /// The front holds no connection.
    NoSession,
    /// The report has changed.
    Changed(Report),
    /// The front is of another release than before.
    Upgraded,
}

/// The events since the front began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the connection was another daemon's before.
    pub(crate) is_resumed: bool,
    /// The number of registrations of the plugin, by reason.
    pub(crate) registrations: Registrations,
    /// The number of daemons that ended before their time.
    pub(crate) ended: u64,
    /// The number of daemons that were killed because they hung.
    pub(crate) hung: u64,
    /// The number of requests that the front answered for the daemon.
    pub(crate) answered: u64,
}

/// The number of registrations of the plugin, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registrations {
    /// The front has begun.
    pub(crate) start: u64,
    /// The runtime had closed the connection.
    pub(crate) runtime: u64,
    /// The daemon requested other events, or another failure policy.
    pub(crate) subscription: u64,
}

/// Sends a message; never waits.
pub(super) fn send(
    to: &impl AsFd,
    message: &impl Serialize,
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    system::send_with_descriptor(to, &serde_json::to_vec(message)?, descriptor)
}

/// Receives the next message, and the descriptor that comes with it; none at the end.
///
/// # Errors
/// There is none yet ([`io::ErrorKind::WouldBlock`]), or it cannot be read.
pub(super) fn receive<T: for<'a> Deserialize<'a>>(
    from: &impl AsFd,
) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut buffer = [0; MAX_LENGTH];
    let (length, descriptor) = system::receive_with_descriptor(from, &mut buffer)?;
    match length {
        0 => Ok(None),
        _ => Ok(Some((serde_json::from_slice(&buffer[..length])?, descriptor))),
    }
}
