//! One logical connection, as the byte stream that ttrpc reads and writes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::state::{MAX_WAITING, Shared, wake};

/// The end of a logical connection that ttrpc holds.
///
/// Dropping it ends the trunk: with one half gone, the runtime cannot use the other.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Shared,
    index: usize,
    /// Whether the runtime makes calls on it; their number must be limited.
    carries_calls: bool,
}

impl Connection {
    pub(super) fn new(shared: Shared, index: usize, carries_calls: bool) -> Self {
        Self {
            shared,
            index,
            carries_calls,
        }
    }
}

impl AsyncRead for Connection {
    /// Reads at most up to the end of the current header or body. Bytes that arrived before the end of the
    /// trunk are still read, such as the reason for it.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        let channel = &mut state.channels[self.index];
        let held_back = self.carries_calls
            && channel.read_position.between_messages()
            && (state.draining || state.in_flight.is_full());
        if held_back || channel.incoming.is_empty() {
            if state.socket.is_none() {
                return Poll::Ready(Ok(()));
            }
            channel.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let was_full = channel.incoming.len() >= MAX_WAITING;
        let (waiting, _) = channel.incoming.as_slices();
        let count = waiting
            .len()
            .min(buf.remaining())
            .min(channel.read_position.part_left());
        let part = &waiting[..count];
        buf.put_slice(part);
        let header = channel.read_position.advance(part);
        if let Some(header) = header.filter(|_| self.carries_calls) {
            state.in_flight.begin(header);
        }
        channel.incoming.drain(..count);
        if channel.incoming.is_empty() && channel.incoming.capacity() > MAX_WAITING {
            channel.incoming = VecDeque::new();
        }
        if was_full && channel.incoming.len() < MAX_WAITING {
            wake(&mut state.driver);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    /// Accepts bytes up to the end of the current message; the next one waits until that is sent.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        if state.socket.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let channel = &mut state.channels[self.index];
        if channel.outgoing.complete().is_some() {
            channel.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = channel.outgoing.take(bytes)?;
        if let Some(header) = channel.outgoing.complete() {
            if self.carries_calls {
                let was_full = state.in_flight.is_full();
                state.in_flight.end(header);
                if was_full {
                    wake(&mut channel.reader);
                }
            }
            // The driver handles the rest and an error, and notices that the last answer is sent.
            if !matches!(state.try_send(), Ok(true)) || state.draining {
                wake(&mut state.driver);
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// Waits until the last message is sent.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        if state.socket.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let channel = &mut state.channels[self.index];
        if channel.outgoing.complete().is_some() {
            channel.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.channels[self.index].is_held = false;
        wake(&mut state.driver);
    }
}
