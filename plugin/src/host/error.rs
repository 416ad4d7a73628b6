//! Why a pod cannot enter its host.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a pod cannot enter its host.
#[derive(Debug, Error)]
pub enum HostError {
    /// Process 1 is no process of the host.
    #[error("cannot enter the host: this container has processes of its own; give its pod `hostPID: true`")]
    OwnProcesses,
    /// What would be entered is not the host of the runtime that is to be served.
    #[error(
        "cannot enter the host: {} there is not what it is in this container; give its pod `hostPID: true`, \
         and mount that directory of the host under the same path", .0.display()
    )]
    OtherHost(PathBuf),
    /// The kernel refuses a namespace.
    #[error(
        "cannot enter the host's {name} namespace: {source}; it takes a privileged container with \
         `hostPID: true`, in a pod without a user namespace of its own"
    )]
    Namespace {
        /// Which, as in `/proc/1/ns`.
        name: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel refuses something else.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

impl HostError {
    /// Turns what the kernel says of `path` into an error.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> HostError {
        let path = path.into();
        move |source| HostError::Io { action, path, source }
    }
}
