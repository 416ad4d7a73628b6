//! Classes of characters: `[a-z]`, `\d`, `[[:alpha:]]`, `\p{Greek}`.

use super::RegexpError;
use super::escape::code_point;
use super::pieces::{Rest, range};
use super::unicode;

/// The classes of Perl and of POSIX, by name. They hold ASCII characters alone.
const ASCII: [(&str, &str); 17] = [
    ("d", "0-9"),
    ("s", r"\t\n\x{C}\r\x{20}"),
    ("w", "0-9A-Za-z_"),
    ("[:alnum:]", "0-9A-Za-z"),
    ("[:alpha:]", "A-Za-z"),
    ("[:ascii:]", r"\x{0}-\x{7F}"),
    ("[:blank:]", r"\t\x{20}"),
    ("[:cntrl:]", r"\x{0}-\x{1F}\x{7F}"),
    ("[:digit:]", "0-9"),
    ("[:graph:]", r"\x{21}-\x{7E}"),
    ("[:lower:]", "a-z"),
    ("[:print:]", r"\x{20}-\x{7E}"),
    (
        "[:punct:]",
        r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}",
    ),
    ("[:space:]", r"\t\n\x{B}\x{C}\r\x{20}"),
    ("[:upper:]", "A-Z"),
    ("[:word:]", "0-9A-Za-z_"),
    ("[:xdigit:]", "0-9A-Fa-f"),
];

fn ascii(name: &str, is_negated: bool) -> Option<String> {
    let (_, items) = ASCII.iter().find(|(known, _)| *known == name)?;
    Some(class(items, is_negated))
}

fn class(items: &str, is_negated: bool) -> String {
    let sign = if is_negated { "^" } else { "" };
    format!("[{sign}{items}]")
}

/// The class that an escape represents. `None`, with nothing consumed, if it is not a class.
pub(super) fn escaped(rest: &mut Rest<'_>) -> Result<Option<String>, RegexpError> {
    let begin = *rest;
    let mut behind = *rest;
    behind.skip("\\");
    let class = match behind.next() {
        Some(c @ ('p' | 'P')) => Some(property(&mut behind, begin, c == 'P')?),
        Some(c @ ('d' | 's' | 'w')) => ascii(c.encode_utf8(&mut [0; 4]), false),
        Some(c @ ('D' | 'S' | 'W')) => ascii(c.to_ascii_lowercase().encode_utf8(&mut [0; 4]), true),
        _ => None,
    };
    if class.is_some() {
        *rest = behind;
    }
    Ok(class)
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`, after the `p`.
fn property(rest: &mut Rest<'_>, begin: Rest<'_>, is_negated: bool) -> Result<String, RegexpError> {
    let mut single = [0; 4];
    let name = match rest.skip("{") {
        true => rest.take_through("}"),
        false => rest.next().map(|c| &*c.encode_utf8(&mut single)),
    };
    let unknown = || RegexpError::Class(begin.until(*rest));
    let name = name.ok_or_else(unknown)?;
    let (name, is_negated) = match name.strip_prefix('^') {
        Some(name) => (name, !is_negated),
        None => (name, is_negated),
    };
    let items = unicode::items(name).ok_or_else(unknown)?;
    Ok(class(&items, is_negated))
}

/// A class in brackets.
pub(super) fn bracketed(rest: &mut Rest<'_>) -> Result<String, RegexpError> {
    rest.skip("[");
    let is_negated = rest.skip("^");
    let mut items = String::new();
    // A ] that comes first is one of the characters.
    while items.is_empty() || !rest.has("]") {
        items += &item(rest)?;
    }
    rest.skip("]");
    Ok(class(&items, is_negated))
}

fn item(rest: &mut Rest<'_>) -> Result<String, RegexpError> {
    if rest.has("[:")
        && let Some(class) = named(rest)?
    {
        return Ok(class);
    }
    if rest.has("\\")
        && let Some(class) = escaped(rest)?
    {
        return Ok(class);
    }
    let begin = *rest;
    let first = single(rest)?;
    // In [a-] the - is one of the characters.
    let mut behind = *rest;
    if !(behind.skip("-") && behind.peek().is_some_and(|c| c != ']')) {
        return Ok(range(first, first));
    }
    *rest = behind;
    let last = single(rest)?;
    match first <= last {
        true => Ok(range(first, last)),
        false => Err(RegexpError::Class(begin.until(*rest))),
    }
}

/// `[:alpha:]` within brackets. `None`, with nothing consumed, if its end is missing.
fn named(rest: &mut Rest<'_>) -> Result<Option<String>, RegexpError> {
    let begin = *rest;
    let mut behind = *rest;
    behind.skip("[:");
    let Some(name) = behind.take_through(":]") else {
        return Ok(None);
    };
    *rest = behind;
    let (name, is_negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let class = ascii(&format!("[:{name}:]"), is_negated);
    class
        .map(Some)
        .ok_or_else(|| RegexpError::Class(begin.until(behind)))
}

fn single(rest: &mut Rest<'_>) -> Result<u32, RegexpError> {
    match rest.peek() {
        None => Err(RegexpError::MissingBracket),
        Some('\\') => code_point(rest),
        Some(c) => {
            rest.next();
            Ok(c.into())
        }
    }
}
