//! Descriptors from other processes.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Takes ownership of a descriptor that was inherited for this purpose, and stops passing it on.
///
/// # Errors
/// It is not open.
pub(crate) fn take_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is borrowed for this call alone, which fails if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, and no other code in this process knows its number: it was inherited for the
    // caller.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sends a message with a descriptor; never waits.
///
/// # Errors
/// The peer is gone, or has not received earlier messages.
pub(crate) fn send_with_descriptor(
    to: &impl AsFd,
    message: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let numbers: Vec<RawFd> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = &rights[..numbers.len()];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(
        to.as_fd().as_raw_fd(),
        &[IoSlice::new(message)],
        control,
        flags,
        None,
    )?;
    Ok(())
}

/// Receives a message with a descriptor; never waits. Returns the length, 0 at the end.
///
/// # Errors
/// There is none yet ([`io::ErrorKind::WouldBlock`]).
pub(crate) fn receive_with_descriptor(
    from: &impl AsFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg::<()>(from.as_fd().as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel has opened them for this process with this message, so no other code owns
            // them.
            descriptors.extend(
                numbers
                    .into_iter()
                    .map(|number| unsafe { OwnedFd::from_raw_fd(number) }),
            );
        }
    }
    Ok((received.bytes, descriptors.pop()))
}
