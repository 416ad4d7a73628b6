//! From the bytes of a file to the one JSON value in them.

use super::json::{self, Malformed, Node};
use super::report::{Field, Report};
use crate::diagnostic::Rule;

/// The one JSON value in `bytes`; reports an error if there is none. `if_empty` is the hint for an empty
/// file.
pub(super) fn read_json<'t>(report: &mut Report<'t>, bytes: &'t [u8], if_empty: &str) -> Option<Node<'t>> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let place = report
                .lines()
                .place(error.valid_up_to(), error.error_len().unwrap_or(1));
            let help = "save the file as UTF-8";
            report.at_place(place, Field::Whole, Rule::InvalidUtf8, "is not UTF-8", help);
            return None;
        }
    };
    // The mark is one error; the text after it is still read.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - body.len();
    if mark > 0 {
        let place = report.lines().place(0, mark);
        let message = "begins with a byte order mark";
        report.at_place(
            place,
            Field::Whole,
            Rule::ByteOrderMark,
            message,
            "save the file without one",
        );
    }
    if body.bytes().all(|byte| byte.is_ascii_whitespace()) {
        let place = report.lines().place(bytes.len(), 0);
        report.at_place(place, Field::Whole, Rule::EmptyFile, "is empty", if_empty);
        return None;
    }
    let (rule, error, help) = match json::parse(body) {
        Ok(root) => return Some(root),
        Err(Malformed::Syntax(error)) => return syntax_error(report, body, mark, &error),
        Err(Malformed::Trailing(error)) if is_comment(split_at_error(body, &error).1) => {
            return syntax_error(report, body, mark, &error);
        }
        Err(Malformed::Trailing(error)) => (
            Rule::TrailingData,
            error,
            "a file is one JSON object and nothing after it",
        ),
    };
    invalid(report, mark, rule, &error, &without_place(&error), help);
    None
}

/// Reports why `body` is not JSON. It knows some usual extensions of JSON.
fn syntax_error<'t>(
    report: &mut Report<'t>,
    body: &str,
    mark: usize,
    error: &serde_json::Error,
) -> Option<Node<'t>> {
    let (before, at) = split_at_error(body, error);
    let (message, help) = if is_comment(at) {
        ("JSON has no comments".to_owned(), "remove the comment")
    } else if before.ends_with(',') && at.starts_with(['}', ']']) {
        ("there is a comma before the end".to_owned(), "remove the comma")
    } else if at.starts_with('\'') {
        (
            "JSON has strings in double quotes".to_owned(),
            "write \" in place of '",
        )
    } else if before.is_empty() && !at.is_empty() {
        ("it does not begin with {".to_owned(), "write it as a JSON object")
    } else {
        (without_place(error), "correct the JSON here")
    };
    invalid(report, mark, Rule::InvalidJson, error, &message, help);
    None
}

/// Whether `text` begins with a comment of other formats.
fn is_comment(text: &str) -> bool {
    let begins = |begin: &&str| text.starts_with(*begin);
    ["//", "/*", "#"].iter().any(begins) && !text.starts_with("#!")
}

/// The text before the place of `error`, without trailing blanks, and the text from there on.
fn split_at_error<'b>(body: &'b str, error: &serde_json::Error) -> (&'b str, &'b str) {
    let lines = body.split_inclusive('\n').take(error.line().saturating_sub(1));
    let line: usize = lines.map(str::len).sum();
    let offset = line + error.column().saturating_sub(1);
    let (before, at) = body.split_at_checked(offset).unwrap_or((body, ""));
    (before.trim_end(), at)
}

/// The message of `error` without the place.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(what, _)| what);
    message.to_owned()
}

fn invalid(
    report: &mut Report<'_>,
    mark: usize,
    rule: Rule,
    error: &serde_json::Error,
    message: &str,
    help: &str,
) {
    // The parser did not count the byte order mark, which is on the first line.
    let mark = if error.line() == 1 { mark } else { 0 };
    let place = report.lines().place_of(error.line(), error.column() + mark);
    report.at_place(
        place,
        Field::Whole,
        rule,
        format!("is not valid JSON: {message}"),
        help,
    );
}
