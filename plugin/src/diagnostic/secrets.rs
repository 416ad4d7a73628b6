//! The parts of a hook-spec's text that may be secrets: the values of environment variables, and all values
//! under an unknown key, which may be a mistyped `env`.
//!
//! The text need not be valid: the error about it shows a line of it. So no parser finds these parts.

use std::mem;
use std::ops::Range;

use crate::model::Stage;

/// The depth of the members of a hook: in a stage's list, in the object of the file.
const OF_A_HOOK: usize = 3;

/// The kind of a value, by the keys above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// No secret.
    Plain,
    /// The value of `annotations`: under any key, nothing in it is a secret.
    Annotations,
    /// The value of `env`, or an item of it.
    Env,
    /// Under an unknown key; it may be a secret.
    Unknown,
}

/// An object or an array that is open, or the whole text.
#[derive(Debug)]
struct Open {
    /// The bracket that opened it; 0 for the whole text.
    bracket: u8,
    /// The kind of the object or array itself.
    itself: Value,
    /// The kind of the next value in it.
    next: Value,
}

impl Open {
    fn new(bracket: u8, itself: Value) -> Open {
        Open {
            bracket,
            itself,
            next: itself,
        }
    }
}

/// The parts of `text` that must not be shown, in order.
pub(super) fn secrets(text: &[u8]) -> Vec<Range<usize>> {
    let mut scan = Scan {
        text,
        outer: Vec::new(),
        inner: Open::new(0, Value::Plain),
        secrets: Vec::new(),
    };
    scan.whole();
    scan.secrets
}

struct Scan<'t> {
    text: &'t [u8],
    /// All that is open around the innermost one.
    outer: Vec<Open>,
    inner: Open,
    secrets: Vec<Range<usize>>,
}

impl Scan<'_> {
    fn whole(&mut self) {
        let mut at = 0;
        while let Some(&byte) = self.text.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    let opened = Open::new(byte, self.inner.next);
                    self.outer.push(mem::replace(&mut self.inner, opened));
                }
                b'}' | b']' => {
                    if let Some(outer) = self.outer.pop() {
                        self.inner = outer;
                    }
                }
                b',' => self.inner.next = self.inner.itself,
                b'"' => at = self.token(at, true),
                b':' => {}
                _ if byte.is_ascii_whitespace() => {}
                _ => at = self.token(at - 1, false),
            }
        }
    }

    /// Reads a string, or a number or a text without quotes, from `start`. Returns its end.
    fn token(&mut self, start: usize, is_string: bool) -> usize {
        let length = if is_string { string_length } else { word_length };
        let content = start..start + length(&self.text[start..]);
        let end = content.end + usize::from(is_string);
        let may_be_key = match self.inner.bracket {
            b'{' => true,
            b'[' => false,
            // A word before a colon may be in a comment of TOML.
            _ => is_string,
        };
        let behind = self.text.get(end..).unwrap_or_default();
        if may_be_key && behind.trim_ascii_start().starts_with(b":") {
            self.inner.next = self.kind_of_value(&self.text[content]);
        } else {
            self.value(content, is_string);
        }
        end
    }

    fn kind_of_value(&self, key: &[u8]) -> Value {
        let is_hook = self.outer.len() == OF_A_HOOK && self.outer[OF_A_HOOK - 1].bracket == b'[';
        match (self.inner.itself, key) {
            (Value::Annotations, _) => Value::Plain,
            (Value::Env, _) => Value::Unknown,
            // A hook of a stage with a mistyped name is like any other.
            (Value::Unknown, _) if !is_hook => Value::Unknown,
            (_, b"env") => Value::Env,
            // It belongs to hooks.d, and has arbitrary keys.
            (_, b"annotations") => Value::Annotations,
            (_, b"path" | b"args" | b"timeout" | b"version" | b"hook" | b"when" | b"stages") => Value::Plain,
            (_, b"onFailure" | b"always" | b"commands" | b"hasBindMounts") => Value::Plain,
            _ if Stage::ALL.iter().any(|stage| stage.key().as_bytes() == key) => Value::Plain,
            _ => Value::Unknown,
        }
    }

    fn value(&mut self, content: Range<usize>, is_string: bool) {
        let text = &self.text[content.clone()];
        let equals = text.iter().position(|byte| is_string && *byte == b'=');
        let after_name = content.start + equals.map_or(0, |equals| equals + 1);
        let start = match self.inner.next {
            Value::Unknown => content.start,
            Value::Env => after_name,
            // It may be in a wrong place. Options and paths are not environment entries.
            _ if equals.is_some() && !matches!(text.first(), Some(b'-' | b'/')) => after_name,
            _ => return,
        };
        match self.secrets.last_mut() {
            // A million numbers become one part.
            Some(last) if last.end + 1 == start && self.text[last.end] == b',' => last.end = content.end,
            _ => self.secrets.push(start..content.end),
        }
    }
}

/// The length of the string whose inside `text` begins with: up to its quote or the end of the line.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let is_end = |byte: &u8| {
        let is_quote = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_quote || *byte == b'\n'
    };
    text.iter().position(is_end).unwrap_or(text.len())
}

/// The length of the text that is neither quoted nor punctuation.
fn word_length(text: &[u8]) -> usize {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
    text.iter().position(is_end).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` with `*` in place of the hidden parts.
    fn seen(text: &str) -> String {
        let mut seen = text.as_bytes().to_vec();
        for secret in secrets(text.as_bytes()) {
            seen[secret].fill(b'*');
        }
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn no_value_of_an_environment_is_seen_however_its_key_or_its_form_is_mistyped() {
        for (text, expected) in [
            (
                r#"{"prestart":[{"env":["A=s3cret","s3cret"]}]}"#,
                r#"{"prestart":[{"env":["A=******","******"]}]}"#,
            ),
            (
                r#"{"prestart":[{"envs":["s3cret"]}]}"#,
                r#"{"prestart":[{"envs":["******"]}]}"#,
            ),
            (
                r#"{"prestart":[{"env":{"A":"s3cret="}}]}"#,
                r#"{"prestart":[{"env":{"A":"*******"}}]}"#,
            ),
            (
                r#"{"prestart":[{"environment":{"A":"s3cret","path":"s3cret"}}]}"#,
                r#"{"prestart":[{"environment":{"A":"******","path":"******"}}]}"#,
            ),
            (
                r#"{"prestart":[{"Env":"s3cret","path":"/a"}]}"#,
                r#"{"prestart":[{"Env":"******","path":"/a"}]}"#,
            ),
            (
                r#"{"env":[{"name":"A","value":"s3cret"}]}"#,
                r#"{"env":[{"name":"*","value":"******"}]}"#,
            ),
            (
                r#"{"prestart":[{"args":{"A":"s3cret"}}]}"#,
                r#"{"prestart":[{"args":{"A":"******"}}]}"#,
            ),
            (
                r#"{"prestart":[{"args":["B=s3cret","--a=b","/c=d"]}]}"#,
                r#"{"prestart":[{"args":["B=******","--a=b","/c=d"]}]}"#,
            ),
            (
                r#"{"prestart":[{"environment":{"A":1234,"B":[5,6]}}]}"#,
                r#"{"prestart":[{"environment":{"A":****,"B":[***]}}]}"#,
            ),
            // Not valid JSON.
            (
                r#"{"prestart":[{"env":["A=s3cret"#,
                r#"{"prestart":[{"env":["A=******"#,
            ),
            (
                r#"{prestart:[{envs:[s3cret], path: /a}]}"#,
                r#"{prestart:[{envs:[******], path: /a}]}"#,
            ),
            (
                "{\"environment\"\n:\n\"s3cret\"}",
                "{\"environment\"\n:\n\"******\"}",
            ),
            (r#""envs": ["s3cret"]"#, r#""envs": ["******"]"#),
            (r#"{"envs": ["s3\"cret", "x"]}"#, r#"{"envs": ["********", "*"]}"#),
        ] {
            assert_eq!(seen(text), expected);
        }
    }

    #[test]
    fn everything_but_secrets_is_seen() {
        for text in [
            r#"{"prestart":[{"path":"/a","args":["a","b"],"timeout":5,"onFailure":"ignored"}],"poststop":[]}"#,
            r#"{"postart":[{"path":"/a","args":["a"],"timeout":0}]}"#,
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"annotations":{"^a$":"b"},"commands":["c"]},"stages":["prestart"]}"#,
            "hook_spec = \"/a.json\"\n[annotation]\nspec_dirs = [\"/a\", \"/b\"] # so: \"c\"\n[[annotation.rules]]\neffect = \"deny\"\n",
        ] {
            assert_eq!(seen(text), text);
        }
    }

    #[test]
    fn a_hostile_text_is_scanned_to_its_end() {
        for text in [
            "", "\"", "}}]]", "\u{0}", ":", "\"a\":", "{\"a\":", "\\\"", "[[[[{{{{",
        ] {
            let _ = secrets(text.as_bytes());
        }
        let numbers = format!("{{\"a\":[{}1]}}", "1,".repeat(100_000));
        assert_eq!(secrets(numbers.as_bytes()).len(), 1);
    }
}
