//! Errors of writing a pod's files to its host.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::{PathError, escaped, escaped_path};

/// The reason why a pod's file cannot be put on its host.
#[derive(Debug, Error)]
pub(crate) enum PodError {
    /// The kernel refuses.
    #[error("{0}")]
    Io(PathError),
    /// The program cannot be put on the host.
    #[error("cannot put this program on the host: {0}; name another place with --host-program")]
    Program(PathError),
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
    File(PathError),
    /// A file is larger than any file that the daemon reads from there.
    #[error("{} is larger than the limit of a hook-spec", escaped_path(.0))]
    TooLarge(PathBuf),
}

impl PodError {
    /// Turns the kernel's error about `path` into an error.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PodError {
        let failed = PathError::io(action, path);
        |error| PodError::Io(failed(error))
    }

    /// The program at `path` has printed something else than its version.
    pub(super) fn not_executable(path: impl Into<PathBuf>, reason: &str) -> PodError {
        PodError::NotExecutable {
            path: path.into(),
            reason: escaped(reason).to_string(),
        }
    }
}
