//! Errors of writing a pod's files to its host.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::{escaped, escaped_path};
use crate::write::WriteError;

/// The reason why a pod's file cannot be put on its host.
#[derive(Debug, Error)]
pub(crate) enum PodError {
    /// The kernel refuses.
    #[error("cannot {action} {}: {source}", escaped_path(.path))]
    Io {
        /// The failed action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The program cannot be put on the host.
    #[error("cannot put this program on the host: {0}; name another place with --host-program")]
    Program(WriteError),
    /// The program is on the host and cannot be executed there.
    #[error(
        "{} cannot be executed on the host: {reason}; is that file system mounted noexec? Name another place \
         with --host-program", escaped_path(.path)
    )]
    NotExecutable {
        /// The path of the program.
        path: PathBuf,
        /// The kernel's error, or the output of the program, escaped.
        reason: String,
    },
    /// A file cannot be put on the host.
    #[error("cannot put the pod's files on the host: {0}")]
    File(WriteError),
    /// A file is larger than any file that the daemon reads from there.
    #[error("{} is larger than any hook-spec may be", escaped_path(.0))]
    TooLarge(PathBuf),
}

impl PodError {
    /// Turns the kernel's error about `path` into an error.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PodError {
        let path = path.into();
        move |source| PodError::Io { action, path, source }
    }

    /// The program at `path` has printed something else than its version.
    pub(super) fn not_executable(path: impl Into<PathBuf>, reason: &str) -> PodError {
        PodError::NotExecutable {
            path: path.into(),
            reason: escaped(reason).to_string(),
        }
    }
}
