//! Translates a pattern of Go, read from left to right, to the `regex` crate's syntax.

use super::RegexpError;
use super::class::{bracketed, escaped};
use super::escape::code_point;
use super::flags::{Flags, Opening, opening};
use super::pieces::{Rest, literal};
use super::repeat::{Atom, Repeat};

/// The maximum depth of groups. Go allows 1000 levels of all kinds, for which the `regex` crate would need
/// more stack than a thread has.
pub(in crate::spec) const MAX_DEPTH: usize = 100;

/// Translates the pattern `text`. The `regex` crate finds a match with the result wherever Go does. The
/// length of the match may differ.
pub(in crate::spec) fn translate(text: &str) -> Result<String, RegexpError> {
    let mut reader = Reader::default();
    let mut rest = Rest::of(text);
    // The last repetition, which cannot be repeated again.
    let mut repeated: Option<Rest<'_>> = None;
    while let Some(next) = rest.peek() {
        let begin = rest;
        if let Some(repeat) = Repeat::read(&mut rest)? {
            // A lazy repetition does not change whether there is a match.
            rest.skip("?");
            if let Some(before) = repeated {
                return Err(RegexpError::RepeatedTwice(before.until(rest)));
            }
            reader.repeat(repeat, begin.until(rest))?;
            repeated = Some(begin);
            continue;
        }
        repeated = None;
        reader.read(next, &mut rest)?;
    }
    reader.finish()
}

/// The part that has been read.
#[derive(Debug, Default)]
struct Reader {
    flags: Flags,
    /// The groups that are open, the innermost last.
    outer: Vec<Group>,
    /// The innermost group, or the pattern as a whole.
    group: Group,
}

/// The part of a group that has been read.
#[derive(Debug, Default)]
struct Group {
    /// The flags that hold again after the group.
    flags_behind: Flags,
    /// The complete alternatives, each with its `|`.
    alternatives: String,
    /// The maximum number of counted repetitions of a part of them.
    copies: u32,
    /// The current alternative.
    atoms: Vec<Atom>,
}

impl Group {
    fn end_alternative(&mut self) {
        for atom in self.atoms.drain(..) {
            self.alternatives += &atom.text;
            self.copies = self.copies.max(atom.copies);
        }
    }

    fn into_atom(mut self) -> Atom {
        self.end_alternative();
        Atom {
            text: format!("(?:{})", self.alternatives),
            copies: self.copies.max(1),
        }
    }
}

impl Reader {
    /// Reads an item that begins with `next` and is not a repetition.
    fn read(&mut self, next: char, rest: &mut Rest<'_>) -> Result<(), RegexpError> {
        match next {
            '(' => return self.open(rest),
            ')' => {
                rest.next();
                return self.close();
            }
            '|' => {
                rest.next();
                self.group.end_alternative();
                self.group.alternatives.push('|');
            }
            '[' => {
                let class = bracketed(rest)?;
                self.push_folded(&class);
            }
            '\\' => return self.read_escape(rest),
            _ => {
                rest.next();
                match next {
                    '^' if self.flags.multi_line => self.push("(?m:^)"),
                    '^' => self.push(r"\A"),
                    '$' if self.flags.multi_line => self.push("(?m:$)"),
                    '$' => self.push(r"\z"),
                    '.' if self.flags.dot_is_all => self.push("(?s:.)"),
                    '.' => self.push(r"[^\n]"),
                    c => self.push_folded(&literal(c.into())),
                }
            }
        }
        Ok(())
    }

    fn read_escape(&mut self, rest: &mut Rest<'_>) -> Result<(), RegexpError> {
        let assertions = [
            (r"\A", r"\A"),
            (r"\z", r"\z"),
            (r"\b", r"(?-u:\b)"),
            (r"\B", r"(?-u:\B)"),
        ];
        for (theirs, ours) in assertions {
            if rest.skip(theirs) {
                self.push(ours);
                return Ok(());
            }
        }
        if rest.skip(r"\Q") {
            let quoted = match rest.take_through(r"\E") {
                Some(quoted) => quoted,
                None => rest.take_all(),
            };
            for c in quoted.chars() {
                self.push_folded(&literal(c.into()));
            }
            return Ok(());
        }
        let piece = match escaped(rest)? {
            Some(class) => class,
            None => literal(code_point(rest)?),
        };
        self.push_folded(&piece);
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.group.atoms.push(Atom::single(text.to_owned()));
    }

    /// As [`Reader::push`], for characters whose case may not count.
    fn push_folded(&mut self, text: &str) {
        match self.flags.fold_case {
            true => self.push(&format!("(?i:{text})")),
            false => self.push(text),
        }
    }

    fn repeat(&mut self, repeat: Repeat, written: String) -> Result<(), RegexpError> {
        let Some(atom) = self.group.atoms.last_mut() else {
            return Err(RegexpError::NothingToRepeat(written));
        };
        *atom = repeat.of(atom).ok_or(RegexpError::RepeatSize(written))?;
        Ok(())
    }

    fn open(&mut self, rest: &mut Rest<'_>) -> Result<(), RegexpError> {
        let before = self.flags;
        let opening = match rest.has("(?") {
            true => opening(rest, before)?,
            false => {
                rest.next();
                Opening::Group(before)
            }
        };
        match opening {
            Opening::Flags(flags) => self.flags = flags,
            Opening::Group(_) if self.outer.len() == MAX_DEPTH => return Err(RegexpError::Depth(MAX_DEPTH)),
            Opening::Group(flags) => {
                self.flags = flags;
                let group = Group {
                    flags_behind: before,
                    ..Group::default()
                };
                self.outer.push(std::mem::replace(&mut self.group, group));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), RegexpError> {
        let outer = self.outer.pop().ok_or(RegexpError::UnexpectedParenthesis)?;
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.flags_behind;
        self.group.atoms.push(group.into_atom());
        Ok(())
    }

    fn finish(mut self) -> Result<String, RegexpError> {
        if !self.outer.is_empty() {
            return Err(RegexpError::MissingParenthesis);
        }
        self.group.end_alternative();
        Ok(self.group.alternatives)
    }
}
