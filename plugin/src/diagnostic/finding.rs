//! One error in one file.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Rule;
use crate::model::Stage;

/// The maximum number of errors of one file that are reported; a hostile 10 MiB file could hold millions.
pub const MAX_ERRORS: usize = 1000;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Byte offset of the first byte, from 0.
    pub offset: usize,
    /// Length in bytes; 0 for a position between bytes, such as the end of the file.
    pub length: usize,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

/// One error: its place, the rule that it breaks, its message and its hint.
///
/// Displayed as one line; text from the file is escaped and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file, by the name under which it was read.
    pub(crate) file: Arc<str>,
    /// The place in the file; absent if the error is about the file itself.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The stage, if the error is inside one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<Stage>,
    /// The index of the hook in its stage's list, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<usize>,
    /// The field of the hook (`path`, `args[2]`), or the whole key of a configuration value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// The rule that is broken.
    pub(crate) rule: Rule,
    /// The error itself.
    pub(crate) message: String,
    /// The hint: the expected value, or the remedy.
    pub(crate) help: String,
}

impl Diagnostic {
    /// An error of the file itself, without a place in it.
    pub(crate) fn of_file(
        file: &Arc<str>,
        rule: Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Diagnostic {
            file: file.clone(),
            place: None,
            stage: None,
            index: None,
            field: None,
            rule,
            message: message.into(),
            help: help.into(),
        }
    }

    /// The same error, at `place`.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same error, in the configuration or hook field called `field`.
    #[must_use]
    pub(crate) fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl Diagnostic {
    /// The part of the file that the error is about, such as `prestart[0].timeout`. Empty if it is the file
    /// as a whole, or an unknown key.
    pub(crate) fn subject(&self) -> String {
        let mut subject = String::new();
        if let Some(stage) = self.stage {
            subject.push_str(stage.key());
            if let Some(index) = self.index {
                subject.push_str(&format!("[{index}]"));
            }
        }
        if let Some(field) = &self.field {
            if !subject.is_empty() {
                subject.push('.');
            }
            subject.push_str(field);
        }
        subject
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::model::escaped(&self.file))?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        f.write_str(": ")?;
        let subject = self.subject();
        if !subject.is_empty() {
            write!(f, "{subject}: ")?;
        }
        write!(f, "{}; {} [{}]", self.message, self.help, self.rule)
    }
}
