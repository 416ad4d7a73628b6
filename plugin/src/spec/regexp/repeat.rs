//! Repetitions: `*`, `+`, `?`, `{2,3}`.

use super::RegexpError;
use super::pieces::Rest;

/// The maximum number of repetitions that Go accepts, nested ones multiplied.
const MAX_REPEATS: u32 = 1000;

/// A part of a pattern that can be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// The text in the `regex` crate's syntax.
    pub(super) text: String,
    /// The number of counted repetitions of its innermost part.
    pub(super) copies: u32,
}

impl Atom {
    /// An atom without repetition.
    pub(super) fn single(text: String) -> Atom {
        Atom { text, copies: 1 }
    }
}

/// A number of repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// `*`, `+` or `?`.
    Operator(char),
    /// `{min}`, `{min,}` or `{min,max}`, none of them larger than Go accepts.
    Count { min: u32, max: Option<u32> },
}

impl Repeat {
    /// The repetition that is next; `None`, with nothing consumed, if there is none. A `{` without a number
    /// of repetitions is a character.
    pub(super) fn read(rest: &mut Rest<'_>) -> Result<Option<Repeat>, RegexpError> {
        let begin = *rest;
        let mut behind = *rest;
        let repeat = match behind.next() {
            Some(operator @ ('*' | '+' | '?')) => Repeat::Operator(operator),
            Some('{') => {
                let Some((min, max)) = counts(&mut behind) else {
                    return Ok(None);
                };
                let invalid = || RegexpError::RepeatSize(begin.until(behind));
                let count = |digits: &str| digits.parse().ok().filter(|count| *count <= MAX_REPEATS);
                let min = count(min).ok_or_else(invalid)?;
                let max = match max {
                    "" => None,
                    max => Some(count(max).filter(|max| min <= *max).ok_or_else(invalid)?),
                };
                Repeat::Count { min, max }
            }
            _ => return Ok(None),
        };
        *rest = behind;
        Ok(Some(repeat))
    }

    /// `atom`, repeated; `None` if Go does not accept that many repetitions.
    pub(super) fn of(self, atom: &Atom) -> Option<Atom> {
        let text = format!("(?:{}){self}", atom.text);
        let copies = match self {
            Repeat::Operator(_) => atom.copies,
            Repeat::Count { max: Some(0), .. } => 1,
            Repeat::Count { min, max } => max.unwrap_or(min).max(1).saturating_mul(atom.copies),
        };
        let is_counted = match self {
            Repeat::Count { min, max } => min >= 2 || max.is_some_and(|max| max >= 2),
            Repeat::Operator(_) => false,
        };
        (!is_counted || copies <= MAX_REPEATS).then_some(Atom { text, copies })
    }
}

impl std::fmt::Display for Repeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Repeat::Operator(operator) => write!(f, "{operator}"),
            Repeat::Count { min, max: None } => write!(f, "{{{min},}}"),
            Repeat::Count { min, max: Some(max) } => write!(f, "{{{min},{max}}}"),
        }
    }
}

/// The digits of the two numbers of `{min,max}`, after the `{`; an empty second means no limit.
fn counts<'p>(rest: &mut Rest<'p>) -> Option<(&'p str, &'p str)> {
    let min = number(rest)?;
    let max = match rest.skip(",") {
        true if rest.has("}") => "",
        true => number(rest)?,
        false => min,
    };
    rest.skip("}").then_some((min, max))
}

/// Digits without a leading zero.
fn number<'p>(rest: &mut Rest<'p>) -> Option<&'p str> {
    let digits = rest.digits();
    (digits == "0" || !(digits.is_empty() || digits.starts_with('0'))).then_some(digits)
}
