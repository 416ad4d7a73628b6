//! The findings of an examination.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The check passed.
    Good,
    /// Information; no action is needed.
    Note,
    /// Hooks run, but not as users may expect.
    Warning,
    /// Hooks do not run, or not safely.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Good => "good",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        })
    }
}

/// One finding. Text from other sources is escaped in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The check's name. The names are stable: scripts may match them.
    pub(crate) check: &'static str,
    /// The severity.
    pub(crate) level: Level,
    /// The text of the finding.
    pub(crate) what: String,
    /// The action to take; absent if none is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn good(check: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            check,
            level: Level::Good,
            what: what.into(),
            remedy: None,
        }
    }

    pub(crate) fn note(check: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            level: Level::Note,
            ..Finding::good(check, what)
        }
    }

    pub(crate) fn warning(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Finding::good(check, what)
        }
    }

    pub(crate) fn problem(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Problem,
            ..Finding::warning(check, what, remedy)
        }
    }
}
