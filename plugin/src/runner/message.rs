//! The messages about failed hooks: one line each, for readers of `kubectl describe pod`.

use std::fmt::Write;

use crate::ledger::{Header, HookRun, Record};
use crate::model::{Stage, escaped};

/// The number of the last lines of a hook's stderr that are shown.
const LAST_LINES: usize = 3;

/// The message about the last hook that began, if it has failed.
pub(super) fn last_failure(header: &Header, stage: Stage, record: &Record) -> Option<String> {
    record.last_run().and_then(|run| failure(header, stage, &run))
}

/// The message about each hook of `record` that failed.
pub(crate) fn failures(header: &Header, stage: Stage, record: &Record) -> Vec<String> {
    let runs = record.runs();
    runs.iter()
        .filter_map(|run| failure(header, stage, run))
        .collect()
}

fn failure(header: &Header, stage: Stage, run: &HookRun<'_>) -> Option<String> {
    let end = run
        .ended
        .filter(|end| !end.outcome.is_success() && !run.may_fail)?;
    let mut line = format!(
        "{}: {stage} hook {} of {}, {} ({}:{}), {}",
        container(header),
        run.hook + 1,
        header.count(stage),
        escaped(run.path),
        escaped(run.file),
        run.line,
        end.outcome,
    );
    for (index, text) in end.stderr.last_lines(LAST_LINES).iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(line, "{}{}", if index == 0 { ": " } else { " | " }, prose(text));
    }
    Some(line)
}

/// The container, in the words of its users.
pub(super) fn container(header: &Header) -> String {
    let identity = &header.identity;
    format!(
        "container {} of pod {}/{}",
        escaped(&identity.container),
        escaped(&identity.namespace),
        escaped(&identity.pod),
    )
}

/// A hook's output: without control characters, and at most 300 characters of it.
fn prose(text: &str) -> String {
    const SHOWN: usize = 300;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.trim().chars().take(SHOWN).map(clean).collect();
    if text.trim().chars().nth(SHOWN).is_some() {
        short.push_str("...");
    }
    short
}
