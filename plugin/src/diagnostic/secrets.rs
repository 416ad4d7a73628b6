//! The parts of a hook-spec's text that may be secrets: the values of environment variables, and all values
//! under an unknown key, which may be a mistyped `env`.
//!
//! The text need not be valid: the error about it shows a line of it.

use std::ops::Range;

use crate::model::Stage;

/// The keys under which there is no environment, besides the stages. `annotations` belongs to hooks.d, and
/// has arbitrary keys.
const KNOWN: [&[u8]; 10] = [
    b"path",
    b"args",
    b"timeout",
    b"version",
    b"hook",
    b"when",
    b"stages",
    b"always",
    b"commands",
    b"hasBindMounts",
];

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

/// An object or an array that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    is_object: bool,
    /// The kind of the object or array itself.
    itself: Value,
    /// The kind of the next value in it.
    next: Value,
}

/// The parts of `text` that must not be shown, in order.
pub(super) fn secrets(text: &[u8]) -> Vec<Range<usize>> {
    let mut scan = Scan {
        text,
        open: Vec::new(),
        next: Value::Plain,
        secrets: Vec::new(),
    };
    scan.whole();
    scan.secrets
}

struct Scan<'t> {
    text: &'t [u8],
    open: Vec<Open>,
    /// The kind of the next value outside of all objects and arrays.
    next: Value,
    secrets: Vec<Range<usize>>,
}

impl Scan<'_> {
    fn whole(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => {
                    let end = at + 1 + string_length(&self.text[at + 1..]);
                    self.string(at + 1..end);
                    at = end + 1;
                }
                b'{' | b'[' => {
                    let itself = self.next();
                    self.open.push(Open {
                        is_object: *byte == b'{',
                        itself,
                        next: itself,
                    });
                    at += 1;
                }
                b'}' | b']' => {
                    self.open.pop();
                    at += 1;
                }
                b',' => {
                    match self.open.last_mut() {
                        Some(open) => open.next = open.itself,
                        None => self.next = Value::Plain,
                    }
                    at += 1;
                }
                b':' => at += 1,
                byte if byte.is_ascii_whitespace() => at += 1,
                _ => {
                    let end = at + word_length(&self.text[at..]);
                    self.word(at..end);
                    at = end;
                }
            }
        }
    }

    fn next(&self) -> Value {
        self.open.last().map_or(self.next, |open| open.next)
    }

    fn string(&mut self, content: Range<usize>) {
        let is_item = self.open.last().is_some_and(|open| !open.is_object);
        if !is_item && self.is_key(content.end + 1) {
            return self.key(content);
        }
        let text = &self.text[content.clone()];
        let equals = text.iter().position(|byte| *byte == b'=');
        let hidden = match (self.next(), equals) {
            (Value::Unknown, _) | (Value::Env, None) => content,
            (Value::Env, Some(equals)) => content.start + equals + 1..content.end,
            // It may be in a wrong place. Options and paths are not environment entries.
            (_, Some(equals)) if !matches!(text.first(), Some(b'-' | b'/')) => {
                content.start + equals + 1..content.end
            }
            _ => return,
        };
        self.hide(hidden);
    }

    /// A number, or a text without its quotes.
    fn word(&mut self, word: Range<usize>) {
        let is_member = self.open.last().is_some_and(|open| open.is_object);
        if is_member && self.is_key(word.end) {
            self.key(word);
        } else if matches!(self.next(), Value::Env | Value::Unknown) {
            self.hide(word);
        }
    }

    /// Whether the string that ends before `end` is a key.
    fn is_key(&self, end: usize) -> bool {
        let behind = self.text.get(end..).unwrap_or_default();
        behind.trim_ascii_start().first() == Some(&b':')
    }

    fn key(&mut self, key: Range<usize>) {
        let key = &self.text[key];
        let named = match key {
            b"env" => Value::Env,
            b"annotations" => Value::Annotations,
            key if KNOWN.contains(&key) || Stage::ALL.iter().any(|stage| stage.key().as_bytes() == key) => {
                Value::Plain
            }
            _ => Value::Unknown,
        };
        let depth = self.open.len();
        let is_hook = depth == OF_A_HOOK && !self.open[1].is_object;
        let itself = self.open.last().map_or(Value::Plain, |open| open.itself);
        let next = match itself {
            Value::Plain => named,
            // A hook of a stage with a mistyped name.
            Value::Unknown if is_hook => named,
            Value::Annotations => Value::Plain,
            Value::Env | Value::Unknown => Value::Unknown,
        };
        match self.open.last_mut() {
            Some(open) => open.next = next,
            None => self.next = next,
        }
    }

    fn hide(&mut self, hidden: Range<usize>) {
        match self.secrets.last_mut() {
            // A million numbers become one part.
            Some(last) if last.end + 1 == hidden.start && self.text[last.end] == b',' => {
                last.end = hidden.end
            }
            _ => self.secrets.push(hidden),
        }
    }
}

/// The length of the string whose inside `text` begins with: up to its quote or the end of the line.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (length, byte) in text.iter().enumerate() {
        match byte {
            b'\n' => return length,
            b'"' if !escaped => return length,
            _ => escaped = *byte == b'\\' && !escaped,
        }
    }
    text.len()
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
            r#"{"prestart":[{"path":"/a","args":["a","b"],"timeout":5}],"poststop":[]}"#,
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
