//! The rest of a pattern, and characters in the `regex` crate's syntax.

/// The rest of a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'p>(&'p str);

impl<'p> Rest<'p> {
    pub(super) fn of(pattern: &'p str) -> Self {
        Rest(pattern)
    }

    /// Its length in bytes.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// The next character, which is not consumed.
    pub(super) fn peek(self) -> Option<char> {
        self.0.chars().next()
    }

    /// The next character.
    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let next = chars.next();
        self.0 = chars.as_str();
        next
    }

    /// Whether `text` is next.
    pub(super) fn has(self, text: &str) -> bool {
        self.0.starts_with(text)
    }

    /// Consumes `text` if it is next; returns whether it was.
    pub(super) fn skip(&mut self, text: &str) -> bool {
        let behind = self.0.strip_prefix(text);
        self.0 = behind.unwrap_or(self.0);
        behind.is_some()
    }

    /// The text before the next `end`, which is consumed too; `None` if there is none.
    pub(super) fn take_through(&mut self, end: &str) -> Option<&'p str> {
        let (before, behind) = self.0.split_once(end)?;
        self.0 = behind;
        Some(before)
    }

    /// The whole rest.
    pub(super) fn take_all(&mut self) -> &'p str {
        std::mem::take(&mut self.0)
    }

    /// The digits that are next.
    pub(super) fn digits(&mut self) -> &'p str {
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, behind) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = behind;
        digits
    }

    /// The text between here and `later`, for messages.
    pub(super) fn until(self, later: Rest<'_>) -> String {
        self.0[..self.0.len() - later.0.len()].to_owned()
    }
}

/// A class without characters.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// One code point. Go accepts surrogates, which no text has.
pub(super) fn literal(code: u32) -> String {
    match char::from_u32(code) {
        Some(c) if c.is_ascii_alphanumeric() => c.to_string(),
        Some(_) => format!("\\x{{{code:X}}}"),
        None => NOTHING.to_owned(),
    }
}

/// A range of code points, as an item of a class.
pub(super) fn range(first: u32, last: u32) -> String {
    let is_surrogate = |code| (0xD800..=0xDFFF).contains(&code);
    let first = if is_surrogate(first) { 0xE000 } else { first };
    let last = if is_surrogate(last) { 0xD7FF } else { last };
    match first <= last {
        true => format!("\\x{{{first:X}}}-\\x{{{last:X}}}"),
        false => NOTHING.to_owned(),
    }
}
