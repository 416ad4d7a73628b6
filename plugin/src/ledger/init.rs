//! The exit code of a container's init, as the daemon records it.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// The name of the file, in the directory of the records.
pub(super) const INIT: &str = "init";

/// A line about the init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum InitLine {
    /// A daemon waits for its end, and will record the exit code.
    Watched {
        /// The time from which it waits.
        at: Timestamp,
    },
    /// It has ended.
    Exited {
        /// The exit code, or 128 plus the number of the signal.
        code: i32,
        /// The time at which the daemon saw it.
        at: Timestamp,
    },
}

/// The state of the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitEnd {
    /// No daemon has recorded it, or waits for it.
    Unknown,
    /// A daemon waits for it, if it is still alive.
    Awaited,
    /// The exit code, or 128 plus the number of the signal.
    Exited(i32),
}

impl InitEnd {
    /// The state by the lines of the file.
    pub(super) fn of(lines: &[InitLine]) -> InitEnd {
        let code = lines.iter().find_map(|line| match line {
            InitLine::Exited { code, .. } => Some(*code),
            InitLine::Watched { .. } => None,
        });
        match (code, lines) {
            (Some(code), _) => InitEnd::Exited(code),
            (None, []) => InitEnd::Unknown,
            (None, _) => InitEnd::Awaited,
        }
    }
}
