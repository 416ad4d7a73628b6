//! Errors of a read or write that do not last.

use std::io;

/// Whether a stream had nothing to read or no space yet, or a signal or timeout ended the wait for that.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
