//! The socket itself: reads frames for the connections, and sends the data that they could not send at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use super::connection::Connection;
use super::incoming::Frames;
use super::state::{Channel, MAX_WAITING, Shared, State, index, next_to_send, wake};
use crate::error::Error;

/// Bytes read from the socket at once.
const READ_SIZE: usize = 16 << 10;

/// The socket under the two logical connections. They live as long as it is driven; dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Trunk {
    shared: Shared,
    frames: Frames,
    buffer: Box<[u8]>,
}

impl Trunk {
    /// Starts the mux on a socket. Returns the trunk, the connection on which the runtime calls the plugin, and
    /// the one on which the plugin calls the runtime.
    pub(crate) fn open(socket: UnixStream) -> (Self, Connection, Connection) {
        let shared = Shared::new(socket);
        let plugin = Connection::new(shared.clone(), 0, true);
        let runtime = Connection::new(shared.clone(), 1, false);
        let trunk = Self {
            shared,
            frames: Frames::default(),
            buffer: vec![0; READ_SIZE].into_boxed_slice(),
        };
        (trunk, plugin, runtime)
    }

    /// Moves the bytes until the trunk ends; returns the reason. Cancel-safe: it can be called again.
    pub(crate) async fn drive(&mut self) -> Error {
        poll_fn(|cx| self.poll_drive(cx)).await
    }

    /// Accepts no further request and moves the bytes until all earlier ones are answered, or the trunk ends.
    pub(crate) async fn drain(&mut self) {
        self.shared.lock().draining = true;
        poll_fn(|cx| match self.poll_drive(cx) {
            Poll::Pending if !self.shared.lock().is_idle() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Self {
            shared,
            frames,
            buffer,
        } = self;
        let mut guard = shared.lock();
        let state = &mut *guard;
        let end = match poll_socket(state, frames, buffer, cx) {
            Poll::Ready(Err(error)) => error,
            Poll::Ready(Ok(())) if frames.between_frames() => Error::Closed,
            Poll::Ready(Ok(())) => Error::ClosedMidFrame,
            Poll::Pending if state.channels.iter().all(|channel| channel.is_held) => {
                state
                    .driver
                    .get_or_insert_with(|| cx.waker().clone())
                    .clone_from(cx.waker());
                return Poll::Pending;
            }
            Poll::Pending => Error::RpcEnded,
        };
        state.close();
        Poll::Ready(end)
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.shared.lock().close();
    }
}

/// Sends and receives as much as the socket allows; ready at its end.
fn poll_socket(
    state: &mut State,
    frames: &mut Frames,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    let State {
        socket: Some(socket),
        channels,
        ..
    } = state
    else {
        return Poll::Ready(Ok(()));
    };
    if let Poll::Ready(Err(error)) = poll_send(channels, socket, cx) {
        return Poll::Ready(Err(error.into()));
    }
    poll_receive(channels, socket, frames, buffer, cx)
}

/// Sends complete messages; ready when none is left.
fn poll_send(
    channels: &mut [Channel],
    socket: &mut UnixStream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while let Some(channel) = next_to_send(channels) {
        match ready!(Pin::new(&mut *socket).poll_write(cx, channel.outgoing.unsent()))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => channel.mark_sent(count),
        }
    }
    Poll::Ready(Ok(()))
}

/// Receives until a connection has enough to read, or the socket has nothing more; ready at its end.
fn poll_receive(
    channels: &mut [Channel],
    socket: &mut UnixStream,
    frames: &mut Frames,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    while channels
        .iter()
        .all(|channel| channel.incoming.len() < MAX_WAITING)
    {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(&mut *socket).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        frames.take(read.filled(), |connection, payload| {
            // A payload for any other connection is dropped, as the runtime's own mux does.
            let channel = index(connection).map(|at| &mut channels[at]);
            if let Some(channel) = channel.filter(|channel| channel.is_held) {
                channel.incoming.extend(payload);
                wake(&mut channel.reader);
            }
        })?;
    }
    Poll::Pending
}
