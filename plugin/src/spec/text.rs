//! From the bytes of a file to the one JSON value that they hold.

use super::json::{self, Malformed, Node};
use super::report::{Field, Report};
use crate::diagnostic::Rule;

/// The one JSON value that `bytes` holds; what is wrong with them is reported. `if_empty` says what
/// to do about a file without anything in it.
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
    // The mark is one mistake; what follows it is still read.
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
        Err(Malformed::Syntax(error)) => (Rule::InvalidJson, error, "correct the JSON here"),
        Err(Malformed::Trailing(error)) => (
            Rule::TrailingData,
            error,
            "a file is one JSON object and nothing after it",
        ),
    };
    // The parser did not count the mark, which stands on the first line.
    let mark = if error.line() == 1 { mark } else { 0 };
    let place = report.lines().place_of(error.line(), error.column() + mark);
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    report.at_place(
        place,
        Field::Whole,
        rule,
        format!("is not valid JSON: {message}"),
        help,
    );
    None
}
