//! Why something could not be put in place.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::layout::CONFIG;
use crate::model::shown_path;

/// Why something could not be put in place, or taken away.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The kernel refused.
    #[error("cannot {what} {}: {error}", shown_path(.path))]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// There is no runtime to install for.
    #[error(
        "neither containerd nor CRI-O is to be found below {}; install one first, or name it with --runtime",
        shown_path(.0)
    )]
    NoRuntime(PathBuf),
    /// There is a containerd, of whatever version.
    #[error(
        "which containerd is below {} cannot be told: neither a configuration nor the program says so; \
         name it with --runtime",
        shown_path(.0)
    )]
    WhichContainerd(PathBuf),
    /// The daemon would get an option that a unit cannot name.
    #[error(
        "{option} must begin with / and have nothing but letters, digits and . _ - + @ : , =, but is {value}"
    )]
    NotPlain {
        /// The option.
        option: &'static str,
        /// Its value, escaped.
        value: String,
    },
    /// The daemon would need an option, and would get none.
    #[error(
        "a daemon that the runtime launches gets no options: put its configuration at {CONFIG}, with state_dir \
         in it if need be, or leave out --by launched"
    )]
    NoOptions,
    /// The runtime's own file cannot be changed safely.
    #[error("{} cannot be changed: {reason}; change it by hand: {remedy}", shown_path(.path))]
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
        move |error| InstallError::Io { what, path, error }
    }
}
