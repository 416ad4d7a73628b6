//! Waits for a descriptor of any kind.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Ready when `descriptor` is readable. Returns it.
///
/// # Errors
/// It cannot be waited for.
pub(crate) async fn readable(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: an OwnedFd is open, and stays the same until it is dropped.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
    descriptor.readable().await?.retain_ready();
    Ok(descriptor.into_inner())
}
