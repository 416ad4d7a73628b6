//! Short ways to read a text and to say what was found.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::spec::{Parsed, parse};

pub(super) fn read(bytes: &[u8]) -> Parsed {
    parse(&Arc::from("/specs/x.json"), bytes)
}

pub(super) fn mistakes(text: &str) -> Vec<Diagnostic> {
    read(text.as_bytes()).mistakes
}

/// The mistakes of a hook-spec, as [`found_in`] has them.
pub(super) fn found(text: &[u8]) -> Vec<String> {
    found_in(&read(text))
}

/// Where each mistake is, as a person would say it: `rule line:column field`.
pub(super) fn found_in(parsed: &Parsed) -> Vec<String> {
    let brief = |mistake: &Diagnostic| {
        let place = mistake.place.expect("every mistake of a text has a place");
        let stage = mistake.stage.map(|stage| stage.to_string()).unwrap_or_default();
        let index = mistake
            .index
            .map(|index| format!("[{index}]"))
            .unwrap_or_default();
        let dot = if mistake.stage.is_some() { "." } else { "" };
        let field = mistake
            .field
            .as_ref()
            .map(|field| format!("{dot}{field}"))
            .unwrap_or_default();
        format!(
            "{} {}:{} {stage}{index}{field}",
            mistake.rule, place.line, place.column
        )
        .trim_end()
        .to_owned()
    };
    parsed.mistakes.iter().map(brief).collect()
}

/// A hook-spec whose only hook has these members.
pub(super) fn hook(members: &str) -> String {
    format!("{{\"prestart\":[{{{members}}}]}}")
}
