//! Errors of switching NRI on or off.

use std::path::PathBuf;

use thiserror::Error;

use crate::model::{PathError, escaped, escaped_path};

/// The reason why the main file of containerd cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum EditError {
    /// It is not TOML; the message of the parser.
    #[error("{0}")]
    InvalidToml(String),
    /// Its format is of containerd 1.0.
    #[error("its format is version 1, which has no imports")]
    FormatOne,
    /// `imports` has another type.
    #[error("imports is not a list")]
    ImportsNotAList,
    /// The drop-in lacks its table.
    #[error("the drop-in has no table about NRI")]
    NoNriTable,
}

/// The reason why NRI could not be switched on or off.
#[derive(Debug, Error)]
pub(crate) enum RuntimeError {
    /// A file cannot be read, written or removed.
    #[error(transparent)]
    File(#[from] PathError),
    /// There is no runtime.
    #[error(
        "there is neither containerd nor CRI-O below {}; install one first, or name it with --runtime",
        escaped_path(.0)
    )]
    NoRuntime(PathBuf),
    /// The node has a containerd of unknown version.
    #[error(
        "the version of containerd below {} is unknown: neither its configuration nor its program has it; \
         set it with --runtime",
        escaped_path(.0)
    )]
    WhichContainerd(PathBuf),
    /// Another file has the drop-in's path.
    #[error("{} was not written by nri-oci-hooks, or was changed since; move it away, then run this command again", escaped_path(.0))]
    NotOurs(PathBuf),
    /// The runtime's own file cannot be changed safely.
    #[error("{} cannot be changed: {reason}; change it by hand: imports = [{}]", escaped_path(.path), escaped(.import))]
    Main {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: EditError,
        /// The import that it needs.
        import: &'static str,
    },
}
