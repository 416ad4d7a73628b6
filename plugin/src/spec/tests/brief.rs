//! Short forms for reading a text and for its errors.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::spec::{Parsed, parse};

pub(super) fn read(bytes: &[u8]) -> Parsed {
    parse(&Arc::from("/specs/x.json"), bytes)
}

pub(super) fn errors(text: &str) -> Vec<Diagnostic> {
    read(text.as_bytes()).errors
}

/// The errors of a hook-spec, as [`found_in`] has them.
pub(super) fn found(text: &[u8]) -> Vec<String> {
    found_in(&read(text))
}

/// Each error in short: `rule line:column field`.
pub(super) fn found_in(parsed: &Parsed) -> Vec<String> {
    let brief = |error: &Diagnostic| {
        let place = error.place.expect("every error of a text has a place");
        let stage = error.stage.map(|stage| stage.to_string()).unwrap_or_default();
        let index = error.index.map(|index| format!("[{index}]")).unwrap_or_default();
        let dot = if error.stage.is_some() { "." } else { "" };
        let field = error
            .field
            .as_ref()
            .map(|field| format!("{dot}{field}"))
            .unwrap_or_default();
        format!(
            "{} {}:{} {stage}{index}{field}",
            error.rule, place.line, place.column
        )
        .trim_end()
        .to_owned()
    };
    parsed.errors.iter().map(brief).collect()
}

/// A hook-spec whose only hook has these members.
pub(super) fn hook(members: &str) -> String {
    format!("{{\"prestart\":[{{{members}}}]}}")
}
