//! Formats a line for people, or for programs.

use std::fmt::Write;

use serde::Serialize;

use super::line::{Fields, Line, MESSAGE, REASONS};
use crate::model::one_line;

/// `TIME LEVEL MESSAGE NAME=VALUE...`, in one line. Fields that the message shows already are left out.
pub(super) fn text(line: &Line<'_>) -> Vec<u8> {
    let time = humantime::format_rfc3339_micros(line.at);
    let message = one_line(line.fields.text(MESSAGE).unwrap_or_default());
    let mut text = format!("{time} {:>5} {message}", line.level);
    let about = line.spans.last().map(|span| ("id", span.0.get("id")));
    let fields = line.fields.0.iter().map(|(name, value)| (&**name, Some(value)));
    for (name, value) in about.into_iter().chain(fields) {
        let Some(value) = value.filter(|_| name != MESSAGE && !REASONS.contains(&name)) else {
            continue;
        };
        // Writing to a String cannot fail.
        let _ = match value.as_str() {
            Some(value) if value.contains(' ') => write!(text, " {name}={:?}", one_line(value)),
            Some(value) => write!(text, " {name}={}", one_line(value)),
            None => write!(text, " {name}={value}"),
        };
    }
    text.push('\n');
    text.into_bytes()
}

/// One JSON object.
pub(super) fn json(line: &Line<'_>) -> Vec<u8> {
    let object = Object {
        timestamp: humantime::format_rfc3339_micros(line.at).to_string(),
        level: line.level.as_str(),
        fields: &line.fields,
        target: line.target,
        span: line.spans.last(),
        spans: &line.spans,
    };
    // Names and values are strings, numbers and booleans.
    let mut text = serde_json::to_vec(&object).unwrap_or_default();
    text.push(b'\n');
    text
}

#[derive(Serialize)]
struct Object<'l> {
    timestamp: String,
    level: &'l str,
    fields: &'l Fields,
    target: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'l Fields>,
    #[serde(skip_serializing_if = "<[Fields]>::is_empty")]
    spans: &'l [Fields],
}
