//! From the bytes of a file to the one JSON value in them.

use super::json::{self, Malformed, Node};
use crate::diagnostic::{Errors, Rule};

/// The one JSON value in the text of `errors`; adds an error if there is none. `if_empty` is the hint for an
/// empty file.
pub(super) fn read_json<'t>(errors: &mut Errors<'t>, if_empty: &str) -> Option<Node<'t>> {
    let text = errors.utf8()?;
    // The mark is one error; the text after it is still read.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - body.len();
    if mark > 0 {
        let (message, help) = ("begins with a byte order mark", "save the file without one");
        errors.add(0..mark, Rule::ByteOrderMark, message, help);
    }
    if body.bytes().all(|byte| byte.is_ascii_whitespace()) {
        errors.add(text.len()..text.len(), Rule::EmptyFile, "is empty", if_empty);
        return None;
    }
    let (rule, (message, help), error) = match json::parse(body) {
        Ok(root) => return Some(root),
        Err(Malformed::Trailing(error)) if !is_comment(split_at_error(body, &error).1) => {
            let help = "a file is one JSON object and nothing after it";
            (Rule::TrailingData, (without_place(&error), help), error)
        }
        Err(Malformed::Syntax(error) | Malformed::Trailing(error)) => {
            (Rule::InvalidJson, syntax_error(body, &error), error)
        }
    };
    // The parser did not count the byte order mark, which is on the first line.
    let mark = if error.line() == 1 { mark } else { 0 };
    let start = errors.lines().offset_of(error.line(), error.column() + mark);
    let message = format!("is not valid JSON: {message}");
    errors.add(start..start + 1, rule, message, help);
    None
}

/// The reason why `body` is not JSON, and the hint. It knows some usual extensions of JSON.
fn syntax_error(body: &str, error: &serde_json::Error) -> (String, &'static str) {
    let (before, at) = split_at_error(body, error);
    if is_comment(at) {
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
    }
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
