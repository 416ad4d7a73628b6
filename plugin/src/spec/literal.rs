//! What of a regular expression is a literal, so that it need not be run.

/// A regular expression that is no more than a literal: where in a text it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `^abc$`: it is the text.
    Whole(String),
    /// `^abc`: the text begins with it.
    Begin(String),
    /// `abc$`: the text ends with it.
    End(String),
    /// `abc`: it is somewhere in the text.
    Inside(String),
}

impl Shape {
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Shape::Whole(part) => text == part,
            Shape::Begin(part) => text.starts_with(part.as_str()),
            Shape::End(part) => text.ends_with(part.as_str()),
            Shape::Inside(part) => text.contains(part.as_str()),
        }
    }
}

/// What the regular expression `pattern` is if it is no more than a literal.
pub(super) fn shape(pattern: &str) -> Option<Shape> {
    let (rest, at_begin) = match pattern.strip_prefix('^') {
        Some(rest) => (rest, true),
        // Where it need not begin at the begin, any run before it may be empty.
        None => (pattern.strip_prefix(".*").unwrap_or(pattern), false),
    };
    // An escaped one is none of these, but then what is left of it is no literal.
    let (rest, at_end) = match rest.strip_suffix('$') {
        Some(rest) => (rest, true),
        None => (rest.strip_suffix(".*").unwrap_or(rest), false),
    };
    let (literal, behind) = literal(rest);
    let shape = match (at_begin, at_end) {
        (true, true) => Shape::Whole,
        (true, false) => Shape::Begin,
        (false, true) => Shape::End,
        (false, false) => Shape::Inside,
    };
    behind.is_empty().then(|| shape(literal))
}

/// What each text that the regular expression `pattern` matches begins with; empty if nothing is
/// known of that.
pub(super) fn literal_prefix(pattern: &str) -> String {
    let Some(rest) = pattern.strip_prefix('^') else {
        return String::new();
    };
    if may_have_alternatives(rest) {
        return String::new();
    }
    let (mut literal, behind) = literal(rest);
    if !behind.is_empty() {
        // It may be about the last character: `*` is, even in `a(?i)*`.
        literal.pop();
    }
    literal
}

/// The literal that `pattern` begins with, and what stands behind it.
fn literal(pattern: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = pattern.chars();
    loop {
        let behind = rest.as_str();
        match rest.next() {
            None => return (literal, behind),
            Some('\\') => match rest.next() {
                // Before any of these a backslash means nothing but themselves.
                Some(c) if c.is_ascii_punctuation() && c != '<' && c != '>' => literal.push(c),
                _ => return (literal, behind),
            },
            Some(c) if "^$.|?*+()[]{}".contains(c) => return (literal, behind),
            Some(c) => literal.push(c),
        }
    }
}

/// Whether a `|` may stand outside of all groups.
fn may_have_alternatives(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            // In a class these mean themselves; where one ends is not for here.
            '[' => return pattern.contains('|'),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
