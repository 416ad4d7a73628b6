//! Text of others in a message: escaped, and of bounded length.

use std::fmt::{self, Display, Write};
use std::path::Path;

/// The maximum number of characters of a text that are shown, counted as they are written.
const MAX_CHARACTERS: usize = 200;

/// The maximum number of bytes of a list of errors that are shown.
const MAX_LIST: usize = 1024;

/// A text for a message. Plain text is shown as it is. Any other text is quoted, and everything but printable
/// ASCII is escaped, so that no terminal escape, line break or look-alike letter passes. At most 200
/// characters are shown.
pub(crate) fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// As [`escaped`], for a path.
pub(crate) fn escaped_path(path: &Path) -> String {
    escaped(&path.to_string_lossy()).to_string()
}

/// See [`escaped`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:=,".contains(c);
        if !self.0.is_empty() && self.0.len() <= MAX_CHARACTERS && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        let mut left = MAX_CHARACTERS;

        f.write_char('"')?;
        for character in self.0.chars().map(char::escape_default) {
            let Some(rest) = left.checked_sub(character.len()) else {
                return write!(f, "\"... ({} bytes)", self.0.len());
            };
            left = rest;
            write!(f, "{character}")?;
        }
        f.write_char('"')
    }
}

/// The message of another program, which may quote a text of others: in one line of printable ASCII, and at
/// most 200 characters.
pub(crate) fn prose(text: &str) -> String {
    let show = |c: char| -> String {
        match c {
            ' '..='~' => c.into(),
            _ => c.escape_default().collect(),
        }
    };
    text.chars().take(MAX_CHARACTERS).map(show).collect()
}

/// A text of others in its own language and length, but in one line. Left out are the characters that a
/// terminal or a reader obeys: control characters, line separators, marks that reverse the direction, and
/// invisible characters.
pub(crate) fn one_line(text: &str) -> String {
    let show = |c: char| -> String {
        match c {
            '\t' => c.into(),
            c if c.is_control() || is_obeyed(c) => c.escape_unicode().collect(),
            c => c.into(),
        }
    };
    text.chars().map(show).collect()
}

/// Whether a character that is not a control character is obeyed nevertheless (Unicode: categories Cf, Zl and
/// Zp).
fn is_obeyed(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `items` in one line of about 1 kB at most. `and N more` counts the items that are left out.
pub(crate) fn bounded_list<T: Display>(items: &[T]) -> String {
    let mut list = String::new();
    for (done, item) in items.iter().enumerate() {
        let before = list.len();
        if done > 0 {
            list.push_str(" | ");
        }
        // Writing to a String cannot fail.
        let _ = write!(list, "{item}");
        if list.len() > MAX_LIST && done > 0 {
            list.truncate(before);
            let _ = write!(list, " | and {} more", items.len() - done);
            break;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_shown_as_it_is() {
        assert_eq!(escaped("/usr/bin/echo").to_string(), "/usr/bin/echo");
    }

    #[test]
    fn nothing_but_printable_ascii_reaches_a_message() {
        let hostile = "a\x1b[2J\n\r\u{202e}\u{430}\0\"";
        let message = escaped(hostile).to_string();
        assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message}");
        assert_eq!(message, r#""a\u{1b}[2J\n\r\u{202e}\u{430}\u{0}\"""#);
    }

    #[test]
    fn prose_keeps_its_quotes_and_loses_what_is_not_printable() {
        assert_eq!(prose("expected `\"a\"`"), "expected `\"a\"`");
        assert_eq!(prose("a\nb\u{1b}\u{1a3}"), r"a\nb\u{1b}\u{1a3}");
        assert_eq!(prose(&"x".repeat(1000)).len(), MAX_CHARACTERS);
    }

    #[test]
    fn a_line_keeps_every_language_and_loses_what_is_obeyed() {
        assert_eq!(
            one_line("gr\u{fc}n\t\u{6f22}\u{1f600} \"x\""),
            "gr\u{fc}n\t\u{6f22}\u{1f600} \"x\""
        );
        for (obeyed, escaped) in [
            ("\x1b[2J", r"\u{1b}[2J"),
            ("a\nb\r", r"a\u{a}b\u{d}"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{202e}txt.sh\u{2066}", r"\u{202e}txt.sh\u{2066}"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("a\u{200b}\u{feff}\u{e0041}", r"a\u{200b}\u{feff}\u{e0041}"),
        ] {
            assert_eq!(one_line(obeyed), escaped);
        }
    }

    #[test]
    fn an_empty_text_is_shown_as_a_pair_of_quotes() {
        assert_eq!(escaped("").to_string(), "\"\"");
    }

    #[test]
    fn a_long_text_is_cut_and_its_length_is_shown() {
        let message = escaped(&"x".repeat(262_144)).to_string();
        assert_eq!(message, format!("\"{}\"... (262144 bytes)", "x".repeat(200)));
    }

    #[test]
    fn a_long_list_is_cut_at_a_whole_item_and_the_rest_counted() {
        let list = bounded_list(&["y".repeat(300), "y".repeat(300), "y".repeat(300), "y".repeat(300)]);
        assert!(list.len() <= MAX_LIST + 20, "{}", list.len());
        assert!(list.ends_with("y | and 1 more"), "{list}");
    }
}
