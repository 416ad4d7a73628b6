//! The errors of one hook-spec, each with its place.

use std::array;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::json::{Kind, Node};
use crate::diagnostic::{Errors, Place, Rule, did_you_mean};
use crate::model::{Stage, escaped};

/// The field of a hook that an error is in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// No field: the hook, stage or file as a whole.
    Whole,
    /// The value of this key.
    Key(&'static str),
    /// An item of the list that is the value of this key.
    Item(&'static str, usize),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Whole => Ok(()),
            Field::Key(key) => f.write_str(key),
            Field::Item(key, index) => write!(f, "{key}[{index}]"),
        }
    }
}

/// The errors found so far, and the current position of the reader in the hook-spec.
pub(super) struct Report<'t> {
    pub(super) errors: Errors<'t>,
    text: &'t [u8],
    /// The current stage.
    pub(super) stage: Option<Stage>,
    /// The index of the current hook.
    pub(super) index: Option<usize>,
    /// The key of the current object, if that is neither the whole file nor in a stage.
    pub(super) within: &'static str,
    /// The keys that have one object in the file, each with the key of that object; `""` for the whole file.
    pub(super) homes: &'static [(&'static str, &'static str)],
    /// The keys that were found in another object than theirs, the keys of their objects, and those that were
    /// mistyped: none of them is missing.
    pub(super) misplaced: Vec<&'static str>,
}

impl<'t> Report<'t> {
    pub(super) fn new(file: &Arc<str>, text: &'t [u8]) -> Self {
        Report {
            errors: Errors::new(file, text),
            text,
            stage: None,
            index: None,
            within: "",
            homes: &[],
            misplaced: Vec::new(),
        }
    }

    /// The place of a value.
    pub(super) fn place(&self, node: Node<'_>) -> Place {
        self.errors.place(self.range(node))
    }

    fn range(&self, node: Node<'_>) -> Range<usize> {
        let start = node.offset_in(self.text);
        start..start + node.text().len()
    }

    pub(super) fn at(
        &mut self,
        node: Node<'_>,
        field: Field,
        rule: Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let Some(error) = self.errors.add(self.range(node), rule, message, help) else {
            return;
        };
        error.stage = self.stage;
        error.index = self.index;
        error.field = match (self.within, field) {
            ("", Field::Whole) => None,
            (within, Field::Whole) => Some(within.to_owned()),
            ("", field) => Some(field.to_string()),
            (within, field) => Some(format!("{within}.{field}")),
        };
    }

    pub(super) fn duplicate(&mut self, key: Node<'_>, name: &str) {
        let message = format!("the key {name} is in this object twice");
        self.at(
            key,
            Field::Whole,
            Rule::DuplicateKey,
            message,
            "keep one of the two",
        );
    }

    /// Reports a `what` (key, stage) called `name` that is not in `known`. Returns the one that was probably
    /// meant.
    pub(super) fn unknown<'k>(
        &mut self,
        key: Node<'_>,
        rule: Rule,
        what: &str,
        name: &str,
        known: &[&'k str],
    ) -> Option<&'k str> {
        let meant = did_you_mean(name, known.iter().copied());
        let help = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("known are {}", known.join(", ")),
        };
        let message = format!("unknown {what} {}", escaped(name));
        self.at(key, Field::Whole, rule, message, help);
        meant
    }

    /// Reports a key that is not in `known`, and the object that it belongs into, if that is known.
    fn unknown_key(&mut self, key: Node<'_>, name: &str, known: &[&'static str]) {
        let Some((name, home)) = self.homes.iter().find(|(with_home, _)| *with_home == name) else {
            let meant = self.unknown(key, Rule::UnknownKey, "key", name, known);
            self.misplaced.extend(meant);
            return;
        };
        self.misplaced.extend([*name, *home]);
        let (message, help) = match *home {
            "" => (
                format!("the key {name} belongs at the top level of the file"),
                format!("move it out of this object: {{\"{name}\": ...}}"),
            ),
            object => (
                format!("the key {name} belongs in {object}"),
                format!("write {{\"{object}\": {{\"{name}\": ...}}}}"),
            ),
        };
        self.at(key, Field::Whole, Rule::UnknownKey, message, help);
    }

    /// Whether `node` is of `kind`; reports an error if not.
    pub(super) fn is_kind(&mut self, node: Node<'_>, field: Field, kind: Kind, help: &str) -> bool {
        let is = node.kind() == kind;
        if !is {
            self.at(
                node,
                field,
                Rule::WrongType,
                format!("must be {kind}, but is {}", node.kind()),
                help,
            );
        }
        is
    }

    /// The string in `node`, if it can be given to the kernel; reports an error if not.
    pub(super) fn string(&mut self, node: Node<'_>, field: Field, help: &str) -> Option<String> {
        if !self.is_kind(node, field, Kind::String, help) {
            return None;
        }
        match node.string() {
            Ok(string) if string.contains('\0') => {
                let help = "remove the \\u0000; the kernel would end the string there";
                self.at(node, field, Rule::NulCharacter, "has a NUL character", help);
                None
            }
            Ok(string) => Some(string),
            Err(_) => {
                self.no_character(node, field);
                None
            }
        }
    }

    fn no_character(&mut self, node: Node<'_>, field: Field) {
        let message = "has an escape that is not a character";
        let help = "a \\ud800 to \\udfff escape needs its other half beside it";
        self.at(node, field, Rule::InvalidString, message, help);
    }

    /// Calls `each` with each member of an object: its key, the key's name, its value.
    pub(super) fn members(
        &mut self,
        object: Node<'t>,
        mut each: impl FnMut(&mut Self, Node<'t>, &str, Node<'t>),
    ) {
        let read = object.members(|key, value| match key.string() {
            Ok(name) => each(self, key, &name, value),
            Err(_) => self.no_character(key, Field::Whole),
        });
        self.finished(object, read);
    }

    /// The values under `keys` in the object `node`, each at most once; any other key is an error. `null`
    /// counts as absent. Reports an error and returns `None` if `node` is not an object.
    ///
    /// A mistyped key is an error, and the key that was meant then counts as misplaced. The value of
    /// one in the wrong case is read.
    pub(super) fn values<const N: usize>(
        &mut self,
        node: Node<'t>,
        field: Field,
        keys: &[&'static str; N],
        help: &str,
    ) -> Option<[Option<Node<'t>>; N]> {
        if !self.is_kind(node, field, Kind::Object, help) {
            return None;
        }
        let (mut values, mut in_wrong_case) = ([None; N], [None; N]);
        self.members(node, |report, key, name, value| {
            match keys.iter().position(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) if keys[known] != name => {
                    report.unknown_key(key, name, keys);
                    in_wrong_case[known] = Some(value);
                }
                Some(known) if values[known].is_some() => report.duplicate(key, name),
                Some(known) => values[known] = Some(value),
                None => report.unknown_key(key, name, keys),
            }
        });
        let either = |index: usize| values[index].or(in_wrong_case[index]);
        Some(array::from_fn(either).map(|value: Option<Node<'t>>| value.filter(|it| it.kind() != Kind::Null)))
    }

    /// Calls `each` with each item of an array.
    pub(super) fn items(&mut self, array: Node<'t>, mut each: impl FnMut(&mut Self, usize, Node<'t>)) {
        let mut index = 0;
        let read = array.items(|item| {
            each(self, index, item);
            index += 1;
        });
        self.finished(array, read);
    }

    /// The text was valid as a whole, so its parts are valid too. If one is not, this reports it.
    fn finished(&mut self, node: Node<'_>, read: Result<(), serde_json::Error>) {
        if let Err(error) = read {
            self.at(
                node,
                Field::Whole,
                Rule::InvalidJson,
                error.to_string(),
                "correct the JSON here",
            );
        }
    }
}
