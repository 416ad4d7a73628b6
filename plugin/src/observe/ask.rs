//! Asking the daemon, from another process.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{STATUS_SOCKET, Status};

/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no daemon answers at {}; is it running, and with this state folder?", .socket.display())]
    NoDaemon {
        /// Where it was asked.
        socket: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It began, and went wrong.
    #[error("the daemon at {} gives no answer that can be read: {reason}", .socket.display())]
    NoAnswer {
        /// Where it was asked.
        socket: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The status of the daemon whose state folder is `state_dir`.
///
/// # Errors
/// None answers, or not in time.
pub fn ask(state_dir: &Path) -> Result<Status, AskError> {
    let socket = state_dir.join(STATUS_SOCKET);
    let stream = UnixStream::connect(&socket).map_err(|source| AskError::NoDaemon {
        socket: socket.clone(),
        source,
    })?;
    let no_answer = |reason: String| AskError::NoAnswer {
        socket: socket.clone(),
        reason,
    };
    let answer = exchange(stream).map_err(|error| no_answer(error.to_string()))?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    let body = body.ok_or_else(|| no_answer("it does not speak HTTP".into()))?;
    serde_json::from_str(body).map_err(|error| no_answer(error.to_string()))
}

fn exchange(mut stream: UnixStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}
