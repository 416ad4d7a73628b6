//! The kernel's error about a path.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::escaped_path;

/// The kernel refuses an action on a path.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {error}", escaped_path(.path))]
pub struct PathError {
    action: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl PathError {
    /// Turns the kernel's error about `path` into an error; `action` is a verb.
    pub(crate) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> PathError {
        let path = path.into();
        move |error| PathError {
            action,
            path,
            error: error.into(),
        }
    }
}
