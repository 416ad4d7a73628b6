//! The regular expressions of hooks.d files, and how much work it is to hold a text against one.

use regex_lite::{Regex, RegexBuilder};

use super::literal::{Shape, literal_prefix, shape};

/// A regular expression, found anywhere in a text unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// Set if it is no more than a literal.
    shape: Option<Shape>,
    /// What a text begins with if it matches.
    prefix: String,
    /// How many states it has at the most; each may be looked at for every character of a text.
    states: u64,
}

impl Pattern {
    /// How much memory it may take, in bytes.
    pub const MAX_SIZE: usize = 64 * 1024;

    /// How much memory the smallest one takes, in bytes, for all that is known of it.
    const MIN_SIZE: usize = 256;

    /// How much memory one state takes, in bytes.
    const STATE_SIZE: usize = 32;

    /// The pattern `text`; fails with what is wrong with it.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let shape = shape(text);
        // Nobody asks how large a literal is.
        let mut size = if shape.is_some() {
            Self::MAX_SIZE
        } else {
            Self::MIN_SIZE
        };
        let regex = loop {
            // Nothing else tells how large it is.
            match RegexBuilder::new(text).size_limit(size).build() {
                Ok(regex) => break regex,
                Err(_) if size < Self::MAX_SIZE => size *= 2,
                Err(error) => return Err(error.to_string()),
            }
        };
        Ok(Pattern {
            regex,
            shape,
            prefix: literal_prefix(text),
            states: (size / Self::STATE_SIZE) as u64,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// The one text that it matches, if there is but one.
    pub fn only_match(&self) -> Option<&str> {
        match &self.shape {
            Some(Shape::Whole(text)) => Some(text),
            _ => None,
        }
    }

    /// How many steps it takes at the most to hold `text` against it: a step is one state looked
    /// at for one character, or what takes no longer.
    pub fn work(&self, text: &str) -> u64 {
        let length = text.len() as u64;
        match &self.shape {
            Some(Shape::Inside(_)) => 1 + length / 16,
            Some(Shape::Whole(part) | Shape::Begin(part) | Shape::End(part)) => {
                1 + length.min(part.len() as u64) / 64
            }
            None if !text.starts_with(&self.prefix) => 1,
            None => self.states * (length + 1),
        }
    }

    /// Whether it matches `text`.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.shape {
            Some(shape) => shape.is_match(text),
            None => text.starts_with(&self.prefix) && self.regex.is_match(text),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What regular expressions are made of, literals more often than not.
    fn part() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "a", "b", "ab", "\\.", "/", "-", ".*", ".", "^", "$", "|", "(a|b)", "[ab]", "[|(]", "*", "+",
            "?", "{2}", "(?i)", "(?m)", "(?x)", " ", "#", "\\b", "\\<", "\\|", "\\(", "(", ")", "\\$", "\n",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_pattern_matches_what_its_regular_expression_does(
            parts in prop::collection::vec(part(), 0..7),
            begin in "\\^?(\\.\\*)?", end in "(\\.\\*)?\\$?", text in "[abA./\n|( $^-]{0,6}",
        ) {
            let pattern = format!("{begin}{}{end}", parts.concat());
            let (Ok(ours), Ok(theirs)) = (Pattern::new(&pattern), Regex::new(&pattern)) else {
                return Ok(());
            };
            prop_assert_eq!(ours.is_match(&text), theirs.is_match(&text), "{:?} {:?}", pattern, text);
        }
    }

    #[test]
    fn what_is_no_more_than_a_literal_takes_next_to_no_work() {
        let key = "hook-spec.noderesource.dev";
        for literal in [
            "^com\\.example/gpu$",
            "^gpu",
            "gpu$",
            ".*/gpu$",
            "^gpu.*",
            "gpu",
            ".*gpu.*",
            ".*",
            "",
        ] {
            let work = Pattern::new(literal).unwrap().work(key);
            assert!(work <= 2, "{literal}: {work}");
        }
        let of_others = Pattern::new("^com\\.example/(gpu|net)$").unwrap();
        assert_eq!(of_others.work(key), 1, "it begins with something else");
        assert!(of_others.work("com.example/x") > 100);
        assert_eq!(
            Pattern::new("^com\\.example/gpu$").unwrap().only_match(),
            Some("com.example/gpu")
        );
    }

    #[test]
    fn the_work_grows_with_the_pattern_and_the_text() {
        let large = Pattern::new("(?:[a-z]*){150}b").unwrap();
        let small = Pattern::new("[a-z]*b").unwrap();
        assert!(large.work("abc") > 10 * small.work("abc"));
        assert_eq!(small.work(&"a".repeat(199)), 100 * small.work("a"));
    }
}
