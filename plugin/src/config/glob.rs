//! Patterns of names: `*` and `?`, nothing else.

use std::sync::Arc;

/// A pattern for a whole text: `*` matches any run of characters, `/` included, and `?` any one; every other
/// character matches itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Arc<str>);

impl Glob {
    /// The pattern `text`.
    pub fn new(text: &str) -> Glob {
        Glob(text.into())
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches `text`. The time is at most the product of the two lengths.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), text.chars());
        // The last star: the pattern after it, and the text that the star has not consumed.
        let mut star = None;
        loop {
            let before = rest.clone();
            match (pattern.next(), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    // It first matches nothing.
                    rest = before.clone();
                    star = Some((pattern.clone(), before));
                }
                (Some('?'), Some(_)) => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => {
                    // The last star consumes one more character. If there is none, the pattern does not
                    // match.
                    let Some((behind, mut eaten)) = star.take() else {
                        return false;
                    };
                    if eaten.next().is_none() {
                        return false;
                    }
                    pattern = behind.clone();
                    rest = eaten.clone();
                    star = Some((behind, eaten));
                }
            }
        }
    }
}

/// Names, each as a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Vec<Glob>);

impl Names {
    /// The names that any of `globs` matches.
    pub fn new(globs: Vec<Glob>) -> Names {
        Names(globs)
    }

    /// The patterns as they were written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Glob::as_str)
    }

    /// Whether a pattern matches `name`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain definition, in exponential time.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', behind @ ..], _) => (0..=text.len()).any(|eaten| defined(behind, &text[eaten..])),
            (['?', behind @ ..], [_, rest @ ..]) => defined(behind, rest),
            ([wanted, behind @ ..], [found, rest @ ..]) => wanted == found && defined(behind, rest),
            _ => false,
        }
    }

    #[test]
    fn a_pattern_matches_whole_texts_only() {
        for (pattern, good, bad) in [
            ("gpu", &["gpu"][..], &["gpus", "a-gpu", "", "GPU"][..]),
            ("gpu-*", &["gpu-", "gpu-a", "gpu-a/b"], &["gpu", "xgpu-a"]),
            ("*", &["", "a", "a/b"], &[]),
            ("?", &["a", "\u{e4}"], &["", "ab"]),
            ("*-prod-?", &["a-prod-1", "-prod-x"], &["a-prod-", "a-prod-12"]),
            ("[a-z]", &["[a-z]"], &["a"]),
        ] {
            let glob = Glob::new(pattern);
            assert!(good.iter().all(|text| glob.matches(text)), "{pattern}");
            assert!(!bad.iter().any(|text| glob.matches(text)), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_in_the_product_of_the_lengths() {
        let glob = Glob::new(&format!("{}b", "a*".repeat(200)));
        assert!(!glob.matches(&"a".repeat(4000)));
    }

    proptest! {
        #[test]
        fn a_pattern_matches_as_its_definition_says(pattern in "[ab*?]{0,6}", text in "[ab/]{0,6}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Glob::new(&pattern).matches(&text), defined(&chars(&pattern), &chars(&text)));
        }
    }
}
