//! The reasons why the host cannot run the daemon as a unit.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::PodError;
use crate::model::{PathError, escaped, escaped_path, prose};

/// The reason why the host cannot run the daemon as a unit.
#[derive(Debug, Error)]
pub(crate) enum UnitError {
    /// The host has a unit of this name that is not from a pod.
    #[error(
        "cannot put the unit on the host: {} was not written by a pod; uninstall that daemon, or deploy without hostUnit",
        escaped_path(.0)
    )]
    Foreign(PathBuf),
    /// systemd would read a word of the command in another way.
    #[error(
        "cannot write {} into a unit: only letters, digits and /._-+@:,= are allowed; change the pod's arguments",
        escaped(.0)
    )]
    NotPlain(String),
    /// A file cannot be written.
    #[error("cannot put the unit on the host: {0}")]
    File(PathError),
    /// The kernel refuses.
    #[error(transparent)]
    Pod(PodError),
    /// A tool of systemd cannot be run.
    #[error("cannot run {tool} on the host: {source}; does systemd run there?")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// A tool of systemd refuses.
    #[error("cannot {what}: {}; see `journalctl -u nri-oci-hooks` on the host", prose(.said))]
    Refused {
        /// The request.
        what: String,
        /// The output of the tool.
        said: String,
    },
    /// The daemon that replaces the unit's for a while is not ready in time.
    #[error("the temporary daemon was not ready within {} s; see its log", .0.as_secs())]
    TemporaryDaemon(Duration),
}
