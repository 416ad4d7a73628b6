//! Requests the daemon's status from another process.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{STATUS_SOCKET, Status};
use crate::model::{escaped, prose};
use crate::process::is_passing;
use crate::trust::access::Use;

/// The maximum time for the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

const REQUEST: &[u8] = b"GET /status HTTP/1.0\r\n\r\n";

/// The maximum length of an answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The reason why there is no answer.
#[derive(Debug, Error)]
pub enum StatusError {
    /// No process listens.
    #[error("no daemon answers at {}: {source}; is it running, with this state directory?", escaped(&.socket.to_string_lossy()))]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The answer is incomplete or invalid.
    #[error("cannot read the answer of the daemon at {}: {reason}", escaped(&.socket.to_string_lossy()))]
    NoAnswer {
        /// The socket.
        socket: PathBuf,
        /// The reason.
        reason: String,
    },
}

/// The status of the daemon whose state directory is `state_dir`.
///
/// # Errors
/// No daemon answers, or not in time.
pub fn request_status(state_dir: &Path) -> Result<Status, StatusError> {
    let socket = state_dir.join(STATUS_SOCKET);
    let access = Use::Read.begin(state_dir).map_err(|hangs| hangs.of(state_dir));
    let stream = access.and_then(|_access| UnixStream::connect(&socket));
    let stream = stream.map_err(|source| StatusError::NoDaemon {
        socket: socket.clone(),
        source,
    })?;
    let no_answer = |reason: String| StatusError::NoAnswer {
        socket: socket.clone(),
        // The reason may quote the answer.
        reason: prose(&reason),
    };
    let answer =
        exchange(stream, Instant::now() + ANSWER_TIMEOUT).map_err(|error| no_answer(error.to_string()))?;
    let body = body(&answer).ok_or_else(|| no_answer("it is not HTTP".into()))?;
    serde_json::from_str(body).map_err(|error| no_answer(error.to_string()))
}

/// The body of an answer, after its head.
pub(super) fn body(answer: &str) -> Option<&str> {
    answer.split_once("\r\n\r\n").map(|(_, body)| body)
}

/// Sends the request and reads the answer until `deadline`, however often data arrives.
fn exchange(mut stream: UnixStream, deadline: Instant) -> io::Result<String> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
        (!left.is_zero()).then_some(left).ok_or_else(timed_out)
    };
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(REQUEST)?;
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    while answer.len() < MAX_ANSWER {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            // The kernel's error after a timeout; left() has it in words.
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(answer).map_err(io::Error::other)
}

/// The answer to a request for `path`. The caller sets its own timeout.
pub(crate) async fn exchange_with(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
) -> io::Result<String> {
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER as u64).read_to_string(&mut answer).await?;
    Ok(answer)
}
