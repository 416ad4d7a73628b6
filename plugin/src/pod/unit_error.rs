//! Why the host cannot have the daemon as a unit.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::PodError;
use crate::model::{prose, shown, shown_path};
use crate::write::WriteError;

/// Why the host cannot have the daemon as a unit.
#[derive(Debug, Error)]
pub enum UnitError {
    /// Somebody else has put a unit of this name there.
    #[error(
        "cannot put the unit on the host: {} is not from a pod; uninstall that daemon, or deploy without hostUnit",
        shown_path(.0)
    )]
    Foreign(PathBuf),
    /// systemd would read a word of the command otherwise.
    #[error(
        "cannot name {} in a unit: only letters, digits and /._-+@:,= may stand there; change the pod's arguments",
        shown(.0)
    )]
    NotPlain(String),
    /// A file cannot be written.
    #[error("cannot put the unit on the host: {0}")]
    File(WriteError),
    /// The kernel refuses.
    #[error(transparent)]
    Pod(PodError),
    /// A tool of systemd cannot be run.
    #[error("cannot run {tool} on the host: {source}; does systemd run there?")]
    Tool {
        /// Which.
        tool: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// A tool of systemd refuses.
    #[error("cannot {what}: {}; see `journalctl -u nri-oci-hooks` on the host", prose(.said))]
    Refused {
        /// What it was asked for.
        what: String,
        /// What it says.
        said: String,
    },
    /// The daemon that stands in for the unit is not ready in time.
    #[error("the daemon that stands in while the unit is replaced was not ready within {} s: see its log", .0.as_secs())]
    StandIn(Duration),
}
