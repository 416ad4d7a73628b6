//! A finding in the form of a compiler: the line of the file, a caret under the place, the hint.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Diagnostic, SourceText};
use crate::model::escaped;

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// A rule is broken.
    Error,
    /// No rule is broken, but this is probably not intended.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// `finding` in several lines, each ended. Its line is shown if the `text` of its file is given. Text of
/// others is escaped and bounded; no value of an `env` is shown.
pub(crate) fn render(severity: Severity, finding: &Diagnostic, text: Option<&SourceText<'_>>) -> String {
    // Writing to a String cannot fail.
    let mut out = String::new();
    let subject = finding.subject();
    let colon = if subject.is_empty() { "" } else { ": " };
    let _ = writeln!(
        out,
        "{severity}[{}]: {subject}{colon}{}",
        finding.rule, finding.message
    );
    let file = escaped(&finding.file);
    match (finding.place, text) {
        (Some(place), Some(text)) => {
            let excerpt = text.excerpt(place);
            let (before, carets) = (" ".repeat(excerpt.before), "^".repeat(excerpt.width));
            let number = place.line.to_string();
            let margin = " ".repeat(number.len());
            let _ = writeln!(out, "{margin}--> {file}:{}:{}", place.line, place.column);
            let _ = writeln!(out, "{margin} |");
            let _ = writeln!(out, "{}", format!("{number} | {}", excerpt.text).trim_end());
            let _ = writeln!(out, "{margin} | {before}{carets}");
            let _ = writeln!(out, "{margin} = help: {}", finding.help);
        }
        (Some(place), None) => {
            let _ = writeln!(out, " --> {file}:{}:{}", place.line, place.column);
            let _ = writeln!(out, "  = help: {}", finding.help);
        }
        (None, _) => {
            let _ = writeln!(out, " --> {file}");
            let _ = writeln!(out, "  = help: {}", finding.help);
        }
    }
    out
}
