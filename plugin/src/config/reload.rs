//! Follows the file of the configuration. A change is applied as a whole or not at all; then the last good
//! one stays active.

use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigSource, ReadFrom};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Timestamp, bounded_list};
use crate::trust::FileIdentity;

/// Whether the active configuration is the one in its file.
#[derive(Debug, Clone)]
pub(crate) struct Reload {
    source: ConfigSource,
    /// The source of the active configuration; `None` until there is one.
    active: Option<ReadFrom>,
    /// The time when that became active.
    taken: Timestamp,
    /// The reasons why the current content of the file is not active; empty if it is.
    refused: Vec<Diagnostic>,
    /// The time since which it has not been active.
    refused_since: Timestamp,
}

/// A valid configuration, and its source.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The configuration.
    pub(crate) config: Config,
    /// Its source.
    pub(crate) read_from: ReadFrom,
    /// The text that was read; empty if there is no file.
    pub(crate) text: Vec<u8>,
}

/// The result of a check of the file.
#[derive(Debug)]
pub(crate) enum Checked {
    /// Its content is active.
    Same,
    /// This new content, which is valid.
    Changed(Box<Changed>),
    /// It is invalid.
    Invalid(Vec<Diagnostic>),
    /// Its file system does not answer, so its content is unknown.
    NotAnswered(Vec<Diagnostic>),
}

impl Reload {
    /// Follows `source`, of which nothing is active yet.
    pub(crate) fn new(source: ConfigSource) -> Reload {
        Reload {
            source,
            active: None,
            taken: Timestamp::now(),
            refused: Vec::new(),
            refused_since: Timestamp::now(),
        }
    }

    /// The source of the configuration.
    pub(crate) fn source(&self) -> &ConfigSource {
        &self.source
    }

    /// Reads the current content of the file. An invalid file is read again each time, because the error may
    /// be in another file.
    pub(crate) fn check(&self) -> Checked {
        if let Some(active) = &self.active {
            match self.source.is_still(active) {
                Ok(true) => return Checked::Same,
                Ok(false) => {}
                Err(hangs) => return Checked::NotAnswered(hangs),
            }
        }
        let (text, read) = self.source.read_with_text();
        match read {
            // The file of the active configuration is gone: that does not remove its hooks.
            Ok((_, ReadFrom::NoFile)) if self.file().is_some() => {
                Checked::Invalid(vec![Diagnostic::of_file(
                    self.source.path(),
                    Rule::NotFound,
                    "was removed",
                    "restore it, or restart the daemon to continue without it",
                )])
            }
            Ok((config, read_from)) => Checked::Changed(Box::new(Changed {
                config,
                read_from,
                text,
            })),
            Err(errors) => Checked::failed(errors),
        }
    }

    /// The content that was read becomes active.
    pub(crate) fn apply(&mut self, read_from: ReadFrom) {
        if self.active.is_some() || !self.refused.is_empty() {
            tracing::info!(file = &**self.source.path(), "configuration applied");
        }
        self.active = Some(read_from);
        self.taken = Timestamp::now();
        self.refused.clear();
    }

    /// The content of the file for an earlier daemon, which applied it at `taken`, becomes active. `copy` is
    /// the identity of its copy; the file itself has another.
    pub(crate) fn apply_last_good(&mut self, copy: FileIdentity, taken: Timestamp) {
        self.active = Some(ReadFrom::File {
            identity: copy,
            real_path: Path::new(&**self.source.path()).to_owned(),
        });
        self.taken = taken;
    }

    /// The time when the active configuration was applied.
    pub(crate) fn taken(&self) -> Timestamp {
        self.taken
    }

    /// The time when the active configuration was applied, and the time since which the file has other,
    /// refused content. `None` if the content of the file is active.
    pub(crate) fn outdated(&self) -> Option<(Timestamp, Timestamp)> {
        let is_outdated = self.active.is_some() && !self.refused.is_empty();
        is_outdated.then_some((self.taken, self.refused_since))
    }

    /// The content that was read cannot become active. Logged once for each change of the errors.
    pub(crate) fn refuse(&mut self, errors: Vec<Diagnostic>) {
        if self.refused == errors {
            return;
        }
        let (file, listed) = (&**self.source.path(), bounded_list(&errors));
        match &self.active {
            Some(_) => tracing::error!(
                file,
                errors = listed,
                taken = %self.taken.to_the_millisecond(),
                "configuration refused; the last good one stays active"
            ),
            None => {
                for error in &errors {
                    tracing::error!("{error}");
                }
                tracing::error!(
                    file,
                    errors = errors.len(),
                    "configuration refused, and no earlier one can be used: no container is created"
                );
            }
        }
        if self.refused.is_empty() {
            self.refused_since = Timestamp::now();
        }
        self.refused = errors;
    }

    /// The content of the file is active: perhaps a change was reverted.
    pub(crate) fn confirm(&mut self) {
        self.refused.clear();
    }

    /// The file of the active configuration; `None` if there was none, and the defaults are active.
    pub(crate) fn file(&self) -> Option<&Arc<str>> {
        matches!(self.active, Some(ReadFrom::File { .. })).then(|| self.source.path())
    }

    /// The reasons why the last content of the file is not active; empty if it is.
    pub(crate) fn refused(&self) -> &[Diagnostic] {
        &self.refused
    }
}

impl Checked {
    /// The result for errors in the file, or in one that it names.
    pub(crate) fn failed(errors: Vec<Diagnostic>) -> Checked {
        match errors.iter().any(|error| error.rule == Rule::NotAnswering) {
            true => Checked::NotAnswered(errors),
            false => Checked::Invalid(errors),
        }
    }
}
