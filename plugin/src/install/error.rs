//! Why something could not be put in place.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something could not be put in place, or taken away.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The kernel refused.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// There is no runtime to install for.
    #[error(
        "neither containerd nor CRI-O is to be found below {}; install one first, or name it with --runtime",
        .0.display()
    )]
    NoRuntime(PathBuf),
    /// The runtime's own file cannot be changed safely.
    #[error("{} cannot be changed: {reason}; change it by hand: {remedy}", .path.display())]
    RuntimeFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What is to be in it.
        remedy: String,
    },
}

impl InstallError {
    /// Turns what the kernel says of `path` into an error.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> InstallError {
        let path = path.into();
        move |source| InstallError::Io { what, path, source }
    }
}
