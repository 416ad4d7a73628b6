//! "Did you mean ...": the known name nearest to a mistyped one.

use std::cmp::Reverse;

use strsim::osa_distance;

/// Names longer than this get no suggestion; no known name is nearly as long.
const LONGEST: usize = 64;

/// The name in `known` that `word` most likely means, if one is near enough. At most a third of its letters
/// (and at least one) may be wrong, missing, added or swapped; case does not count.
pub(crate) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (name, name.to_ascii_lowercase()))
        .map(|(name, lower)| {
            (
                osa_distance(&word, &lower),
                Reverse(common_start(&word, &lower)),
                name,
            )
        })
        .filter(|(distance, _, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, _, name)| name)
}

/// The number of letters at the start that the two share, which decides a draw.
fn common_start(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["path", "args", "env", "timeout"];

    #[test]
    fn a_small_slip_is_recognized() {
        for (word, meant) in [
            ("pth", "path"),
            ("paht", "path"),
            ("Path", "path"),
            ("arg", "args"),
            ("envs", "env"),
            ("time_out", "timeout"),
            ("timout", "timeout"),
        ] {
            assert_eq!(did_you_mean(word, KNOWN), Some(meant), "{word}");
        }
    }

    #[test]
    fn the_name_with_the_longer_common_start_is_meant_if_two_are_equally_near() {
        assert_eq!(
            did_you_mean("postart", ["prestart", "poststart"]),
            Some("poststart")
        );
    }

    #[test]
    fn a_different_word_is_not_taken_for_a_slip() {
        for word in ["", "command", "environment", "x", &"path".repeat(1000)] {
            assert_eq!(did_you_mean(word, KNOWN), None, "{word}");
        }
    }
}
