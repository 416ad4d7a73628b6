//! Asking the daemon, from another process.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{STATUS_SOCKET, Status};
use crate::model::{prose, shown};
use crate::trust::access::Use;

/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /status HTTP/1.0\r\n\r\n";

/// Longest answer, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no daemon answers at {}; is it running, and with this state directory?", shown(&.socket.to_string_lossy()))]
    NoDaemon {
        /// Where it was asked.
        socket: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It began, and went wrong.
    #[error("the daemon at {} gives no answer that can be read: {reason}", shown(&.socket.to_string_lossy()))]
    NoAnswer {
        /// Where it was asked.
        socket: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The status of the daemon whose state directory is `state_dir`.
///
/// # Errors
/// None answers, or not in time.
pub fn ask(state_dir: &Path) -> Result<Status, AskError> {
    let socket = state_dir.join(STATUS_SOCKET);
    let access = Use::Read.begin(state_dir).map_err(|hangs| hangs.of(state_dir));
    let stream = access.and_then(|_access| UnixStream::connect(&socket));
    let stream = stream.map_err(|source| AskError::NoDaemon {
        socket: socket.clone(),
        source,
    })?;
    let no_answer = |reason: String| AskError::NoAnswer {
        socket: socket.clone(),
        // It may quote what was answered.
        reason: prose(&reason),
    };
    let answer = exchange(stream, Instant::now() + PATIENCE).map_err(|error| no_answer(error.to_string()))?;
    let body = body(&answer).ok_or_else(|| no_answer("it does not speak HTTP".into()))?;
    serde_json::from_str(body).map_err(|error| no_answer(error.to_string()))
}

/// What follows the head of an answer.
pub(super) fn body(answer: &str) -> Option<&str> {
    answer.split_once("\r\n\r\n").map(|(_, body)| body)
}

/// Asks, and hears the answer out, until `deadline` and no longer, however often something comes.
fn exchange(mut stream: UnixStream, deadline: Instant) -> io::Result<String> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        let late = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
        (!left.is_zero()).then_some(left).ok_or_else(late)
    };
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(REQUEST)?;
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    while answer.len() < LONGEST {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            // What the kernel calls it when the time is up; left() says it in words.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(answer).map_err(io::Error::other)
}

/// The same, for who must not wait; the caller sets a limit to the time.
pub(super) async fn exchange_status(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.take(LONGEST as u64).read_to_string(&mut answer).await?;
    Ok(answer)
}
