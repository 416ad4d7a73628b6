//! Keeping up with the configuration's file: all of it or nothing, the last good one kept.

use std::sync::Arc;

use super::{ConfigSource, ReadConfig};
use crate::diagnostic::{Diagnostic, Rule, bounded_list};
use crate::trust::FileIdentity;

/// Whether the configuration in force is what its file says.
#[derive(Debug)]
pub struct Reload {
    source: ConfigSource,
    /// The state of the file that the configuration in force was read from.
    in_force: Option<FileIdentity>,
    /// Why what the file says now is not in force; empty if it is.
    refused: Vec<Diagnostic>,
}

impl Reload {
    /// To be told of changes to `source`, of which the state `in_force` is.
    pub fn new(source: ConfigSource, in_force: Option<FileIdentity>) -> Reload {
        Reload {
            source,
            in_force,
            refused: Vec::new(),
        }
    }

    /// What the file says now, if that is not what is in force and has no mistake; to be answered
    /// by [`take`](Reload::take) or [`refuse`](Reload::refuse). Mistakes are logged, once each time
    /// they change, and read again until there are none: what they are about may be another file.
    pub fn look(&mut self) -> Option<ReadConfig> {
        if self.source.is_still(self.in_force) {
            // Perhaps it was changed back.
            self.refused.clear();
            return None;
        }
        match self.source.read() {
            // The file is gone on which what is in force depends: nobody takes hooks away so.
            Ok((_, None)) => {
                self.refuse(vec![Diagnostic::of_file(
                    self.source.path(),
                    Rule::NotFound,
                    "is gone",
                    "put it back, or restart the daemon to go on without it",
                )]);
                None
            }
            Ok(read) => Some(read),
            Err(mistakes) => {
                self.refuse(mistakes);
                None
            }
        }
    }

    /// What was read is in force from now on.
    pub fn take(&mut self, read_from: Option<FileIdentity>) {
        tracing::info!(
            file = &**self.source.path(),
            "configuration in force as it is now"
        );
        self.in_force = read_from;
        self.refused.clear();
    }

    /// What was read cannot be put in force.
    pub fn refuse(&mut self, mistakes: Vec<Diagnostic>) {
        if self.refused != mistakes {
            tracing::error!(
                file = &**self.source.path(),
                mistakes = bounded_list(&mistakes),
                "configuration refused; the last good one stays in force"
            );
            self.refused = mistakes;
        }
    }

    /// The file that the configuration in force was read from; `None` if there was none, which left
    /// the defaults.
    pub fn file(&self) -> Option<&Arc<str>> {
        self.in_force.map(|_| self.source.path())
    }

    /// Why what the file said when it was last looked at is not in force; empty if it is.
    pub fn refused(&self) -> &[Diagnostic] {
        &self.refused
    }
}
