//! The regular expressions of hooks.d files.

use regex::{Regex, RegexBuilder};

use super::regexp::{MAX_DEPTH, RegexpError, translate};

/// A regular expression of Go's syntax, found anywhere in a text unless it is anchored. The time of a match
/// grows at most linearly with the text.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// The maximum memory of a pattern, in MiB. `.{1,1000}` fits; `\pL{1,1000}`, which Go accepts, does not.
    const MAX_MIB: usize = 16;

    /// How much memory each thread may use to make matching fast, in bytes.
    const CACHE_SIZE: usize = 256 * 1024;

    /// Compiles the pattern `text`.
    ///
    /// # Errors
    /// Go's `regexp` package does not accept it, or it takes too much memory.
    pub(crate) fn new(text: &str) -> Result<Pattern, RegexpError> {
        let translated = translate(text)?;
        let regex = RegexBuilder::new(&translated)
            // A group becomes one level, and its repetition another.
            .nest_limit(4 * MAX_DEPTH as u32)
            .size_limit(Self::MAX_MIB << 20)
            .dfa_size_limit(Self::CACHE_SIZE)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => RegexpError::TooLarge(Self::MAX_MIB),
                error => RegexpError::Untranslatable(error.to_string()),
            })?;
        Ok(Pattern {
            text: text.to_owned(),
            regex,
        })
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches `text`.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}
