//! The errors of one text, gathered while it is parsed.

use std::ops::Range;
use std::sync::Arc;

use super::{Diagnostic, Lines, MAX_ERRORS, Place, Rule};
use crate::model::Timeout;

/// The errors found so far in the text of a file.
pub(crate) struct Errors<'t> {
    file: Arc<str>,
    text: &'t [u8],
    lines: Lines<'t>,
    errors: Vec<Diagnostic>,
    left_out: usize,
}

impl<'t> Errors<'t> {
    pub(crate) fn new(file: &Arc<str>, text: &'t [u8]) -> Self {
        Errors {
            file: file.clone(),
            text,
            lines: Lines::new(text),
            errors: Vec::new(),
            left_out: 0,
        }
    }

    /// The text; an error is added if it is not UTF-8.
    pub(crate) fn utf8(&mut self) -> Option<&'t str> {
        let error = match str::from_utf8(self.text) {
            Ok(text) => return Some(text),
            Err(error) => error,
        };
        let start = error.valid_up_to();
        let at = start..start + error.error_len().unwrap_or(1);
        self.add(at, Rule::InvalidUtf8, "is not UTF-8", "save the file as UTF-8");
        None
    }

    pub(crate) fn lines(&self) -> &Lines<'t> {
        &self.lines
    }

    /// The place of the bytes `at` in the text.
    pub(crate) fn place(&self, at: Range<usize>) -> Place {
        self.lines.place(at.start, at.len())
    }

    /// The number of errors so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.left_out
    }

    /// Adds an error at the bytes `at`, and returns it for its stage and field. From [`MAX_ERRORS`] on, errors are
    /// only counted.
    pub(crate) fn add(
        &mut self,
        at: Range<usize>,
        rule: Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<&mut Diagnostic> {
        if self.errors.len() == MAX_ERRORS {
            self.left_out += 1;
            return None;
        }
        let error = Diagnostic::of_file(&self.file, rule, message, help).at(self.place(at));
        self.errors.push(error);
        self.errors.last_mut()
    }

    /// Every error, in the order of the text.
    pub(crate) fn into_vec(mut self) -> Vec<Diagnostic> {
        self.errors.sort_by_key(|error| error.place);
        if self.left_out > 0 {
            let message = format!("has {} more errors", self.left_out);
            let help = "correct those above, then check again";
            let error = Diagnostic::of_file(&self.file, Rule::TooManyErrors, message, help);
            self.errors.push(error);
        }
        self.errors
    }
}

/// A timeout of `seconds`, which the file has as `written`. A number that 128 bits cannot hold is any large one.
///
/// Fails with the rule that it breaks, and the message.
pub(crate) fn timeout(seconds: i128, written: &str) -> Result<Timeout, (Rule, String)> {
    if let Some(timeout) = u32::try_from(seconds).ok().and_then(Timeout::from_seconds) {
        return Ok(timeout);
    }
    let (rule, bound) = match seconds {
        0 => (Rule::TimeoutZero, "greater than 0".to_owned()),
        _ if written.starts_with('-') => (Rule::TimeoutNegative, "greater than 0".to_owned()),
        _ => (Rule::TimeoutTooLarge, format!("at most {}", Timeout::MAX_SECONDS)),
    };
    Err((rule, format!("must be {bound}, but is {written}")))
}
