//! Keeping up with the configuration's file: all of it or nothing, the last good one kept.

use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigSource, ReadFrom};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Timestamp, bounded_list};
use crate::trust::FileIdentity;

/// Whether the configuration in force is what its file says.
#[derive(Debug, Clone)]
pub struct Reload {
    source: ConfigSource,
    /// What the configuration in force was read from; `None` until there is one.
    in_force: Option<ReadFrom>,
    /// When that was taken over.
    taken: Timestamp,
    /// Why what the file says now is not in force; empty if it is.
    refused: Vec<Diagnostic>,
    /// Since when.
    refused_since: Timestamp,
}

/// A configuration without an error, and what it was read from.
#[derive(Debug)]
pub struct Changed {
    /// The configuration.
    pub config: Config,
    /// What it was read from.
    pub read_from: ReadFrom,
    /// The text that was read; empty if there is no file.
    pub text: Vec<u8>,
}

/// What a look at the file brings.
#[derive(Debug)]
pub enum Look {
    /// It says what is in force.
    Same,
    /// It says this, which has no error.
    Changed(Box<Changed>),
    /// It is no good.
    Invalid(Vec<Diagnostic>),
    /// Its file system does not answer, so nobody knows what it says.
    NotAnswered(Vec<Diagnostic>),
}

impl Reload {
    /// To be told of changes to `source`, of which nothing is in force yet.
    pub fn new(source: ConfigSource) -> Reload {
        Reload {
            source,
            in_force: None,
            taken: Timestamp::now(),
            refused: Vec::new(),
            refused_since: Timestamp::now(),
        }
    }

    /// Where the configuration comes from.
    pub fn source(&self) -> &ConfigSource {
        &self.source
    }

    /// What the file says now. What is no good is read again each time: what is wrong may be in
    /// another file.
    pub fn look(&self) -> Look {
        if let Some(in_force) = &self.in_force {
            match self.source.is_still(in_force) {
                Ok(true) => return Look::Same,
                Ok(false) => {}
                Err(hangs) => return Look::NotAnswered(hangs),
            }
        }
        let (text, read) = self.source.read_with_text();
        match read {
            // The file is gone on which what is in force depends: nobody takes hooks away so.
            Ok((_, ReadFrom::NoFile)) if self.file().is_some() => Look::Invalid(vec![Diagnostic::of_file(
                self.source.path(),
                Rule::NotFound,
                "is gone",
                "put it back, or restart the daemon to go on without it",
            )]),
            Ok((config, read_from)) => Look::Changed(Box::new(Changed {
                config,
                read_from,
                text,
            })),
            Err(errors) => Look::of(errors),
        }
    }

    /// What was read is in force from now on.
    pub fn take(&mut self, read_from: ReadFrom) {
        if self.in_force.is_some() || !self.refused.is_empty() {
            tracing::info!(
                file = &**self.source.path(),
                "configuration in force as it is now"
            );
        }
        self.in_force = Some(read_from);
        self.taken = Timestamp::now();
        self.refused.clear();
    }

    /// What the file said to an earlier daemon, who took it over at `taken`, is in force from now on. `copy` is where
    /// that was read from: the file itself is another.
    pub fn take_last_good(&mut self, copy: FileIdentity, taken: Timestamp) {
        self.in_force = Some(ReadFrom::File {
            identity: copy,
            real_path: Path::new(&**self.source.path()).to_owned(),
        });
        self.taken = taken;
    }

    /// When the configuration in force was taken over.
    pub fn taken(&self) -> Timestamp {
        self.taken
    }

    /// When the configuration in force was taken over, and since when its file says another that is refused; none if the
    /// file says what is in force.
    pub fn outdated(&self) -> Option<(Timestamp, Timestamp)> {
        let is_outdated = self.in_force.is_some() && !self.refused.is_empty();
        is_outdated.then_some((self.taken, self.refused_since))
    }

    /// What was read cannot be put in force. Logged once each time that the errors change.
    pub fn refuse(&mut self, errors: Vec<Diagnostic>) {
        if self.refused == errors {
            return;
        }
        let (file, listed) = (&**self.source.path(), bounded_list(&errors));
        match &self.in_force {
            Some(_) => tracing::error!(
                file,
                errors = listed,
                taken = %self.taken.to_the_millisecond(),
                "configuration refused; the last good one stays in force"
            ),
            None => {
                for error in &errors {
                    tracing::error!("{error}");
                }
                tracing::error!(
                    file,
                    errors = errors.len(),
                    "configuration refused, and there is no earlier one: no container is created"
                );
            }
        }
        if self.refused.is_empty() {
            self.refused_since = Timestamp::now();
        }
        self.refused = errors;
    }

    /// What is in force is what the file says: perhaps it was changed back.
    pub fn confirm(&mut self) {
        self.refused.clear();
    }

    /// The file that the configuration in force was read from; `None` if there was none, which left
    /// the defaults.
    pub fn file(&self) -> Option<&Arc<str>> {
        matches!(self.in_force, Some(ReadFrom::File { .. })).then(|| self.source.path())
    }

    /// Why what the file said when it was last looked at is not in force; empty if it is.
    pub fn refused(&self) -> &[Diagnostic] {
        &self.refused
    }
}

impl Look {
    /// What is to be made of errors, of the file or of one that it names.
    pub fn of(errors: Vec<Diagnostic>) -> Look {
        match errors.iter().any(|error| error.rule == Rule::NotAnswering) {
            true => Look::NotAnswered(errors),
            false => Look::Invalid(errors),
        }
    }
}
