//! The reasons why a pod cannot enter its host.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::PathError;

/// The reason why a pod cannot enter its host.
#[derive(Debug, Error)]
pub(crate) enum HostError {
    /// The container has its own PID namespace, so its first process is not the host's.
    #[error("cannot enter the host: this container has its own PID namespace; give its pod `hostPID: true`")]
    OwnProcesses,
    /// The first process is not of the host whose runtime is used.
    #[error(
        "cannot enter the host: {} there is not the directory of this container; give its pod `hostPID: true`, \
         and mount that directory of the host under the same path", .0.display()
    )]
    OtherHost(PathBuf),
    /// The kernel refuses to enter a namespace.
    #[error(
        "cannot enter the host's {name} namespace: {source}; it takes a privileged container with \
         `hostPID: true`, in a pod without a user namespace of its own"
    )]
    Namespace {
        /// Its name in `/proc/1/ns`.
        name: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The kernel refuses another action.
    #[error("{0}")]
    Io(PathError),
}

impl HostError {
    /// Makes an error of the kernel's error for `path`.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> HostError {
        let failed = PathError::io(action, path);
        |error| HostError::Io(failed(error))
    }
}
