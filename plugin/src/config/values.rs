//! Parses the values of a configuration: the rules about each kind, with every error.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Listen;
use super::model::{AnnotationKey, Word, word, words};
use crate::diagnostic::{Errors, Rule, did_you_mean, timeout};
use crate::model::{Timeout, escaped, prose};

/// A key and its value.
pub(super) struct Entry<'e> {
    /// The whole key, with its table.
    name: String,
    key: Range<usize>,
    value: &'e Spanned<DeValue<'e>>,
}

impl<'e> Entry<'e> {
    pub(super) fn new(table: &str, key: &Spanned<DeString<'_>>, value: &'e Spanned<DeValue<'e>>) -> Self {
        Entry {
            name: format!("{table}{}", escaped(key.get_ref())),
            key: key.span(),
            value,
        }
    }

    /// The whole key, with its table.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A number as it is written, for a message.
    fn written(&self) -> String {
        match self.value.get_ref() {
            DeValue::Integer(integer) => escaped(integer.as_str()).to_string(),
            DeValue::Float(float) => escaped(float.as_str()).to_string(),
            other => other.type_str().to_owned(),
        }
    }

    /// Whether the value is an empty list.
    pub(super) fn is_empty_list(&self) -> bool {
        self.value
            .get_ref()
            .as_array()
            .is_some_and(|list| list.is_empty())
    }
}

/// The errors of one configuration.
pub(super) struct Reader<'t> {
    pub(super) errors: Errors<'t>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(source: &Arc<str>, text: &'t [u8]) -> Self {
        Reader {
            errors: Errors::new(source, text),
        }
    }

    /// Parses the text. If it is not TOML, each such place is an error, and the values are not checked,
    /// because they would be guesses.
    pub(super) fn parse(&mut self) -> Option<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.errors.utf8()?);
        let mut reported = None;
        for error in &errors {
            // The parser reports each of many open brackets as not closed.
            let this = Some((error.span(), error.message()));
            if std::mem::replace(&mut reported, this.clone()) == this {
                continue;
            }
            let what = error.message().lines().collect::<Vec<_>>().join("; ");
            let message = format!("is not valid TOML: {}", prose(&what));
            let at = error.span().unwrap_or_default();
            self.errors
                .add(at, Rule::InvalidToml, message, "correct the TOML here");
        }
        errors.is_empty().then_some(table)
    }

    pub(super) fn wrong_value(&mut self, entry: &Entry<'_>, rule: Rule, message: String, help: &str) {
        if let Some(error) = self.errors.add(entry.value.span(), rule, message, help) {
            error.field = Some(entry.name.clone());
        }
    }

    fn wrong_type(&mut self, entry: &Entry<'_>, wanted: &str, help: &str) {
        let message = format!(
            "must be {wanted}, but is of type {}",
            entry.value.get_ref().type_str()
        );
        self.wrong_value(entry, Rule::WrongType, message, help);
    }

    pub(super) fn unknown(&mut self, entry: &Entry<'_>, known: &[&str]) {
        let bare = entry
            .name
            .rsplit_once('.')
            .map_or(entry.name.as_str(), |(_, key)| key);
        let help = match did_you_mean(bare, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("known are {}", known.join(", ")),
        };
        let message = format!("unknown key {}", entry.name);
        self.errors
            .add(entry.key.clone(), Rule::UnknownKey, message, help);
    }

    pub(super) fn table<'e>(&mut self, entry: &Entry<'e>) -> Option<&'e DeTable<'e>> {
        let table = entry.value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(entry, "a table", &format!("write it as [{}]", entry.name));
        }
        table
    }

    pub(super) fn string<'e>(&mut self, entry: &Entry<'e>) -> Option<&'e str> {
        let string = entry.value.get_ref().as_str();
        if string.is_none() {
            self.wrong_type(entry, "a string", "write it in quotes");
        }
        string
    }

    /// The items of a list, each as an entry of its own; `wanted` and `help` are for a value that is not a
    /// list.
    pub(super) fn items<'e>(&mut self, entry: &Entry<'e>, wanted: &str, help: &str) -> Vec<Entry<'e>> {
        let Some(list) = entry.value.get_ref().as_array() else {
            self.wrong_type(entry, wanted, help);
            return Vec::new();
        };
        let items = list.iter().enumerate().map(|(index, value)| Entry {
            name: format!("{}[{index}]", entry.name),
            key: entry.key.clone(),
            value,
        });
        items.collect()
    }

    /// The items of a list of strings, each as an entry of its own.
    pub(super) fn strings<'e>(&mut self, entry: &Entry<'e>) -> Vec<(Entry<'e>, &'e str)> {
        let items = self.items(entry, "a list of strings", "write [\"...\", \"...\"]");
        items
            .into_iter()
            .filter_map(|item| self.string(&item).map(|string| (item, string)))
            .collect()
    }

    pub(super) fn word<W: Word>(&mut self, entry: &Entry<'_>, value: &mut W) {
        let Some(text) = self.string(entry) else { return };
        match word(text) {
            Some(found) => *value = found,
            None => {
                let help = match did_you_mean(text, W::WORDS.iter().map(|(word, _)| *word)) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("must be one of: {}", words::<W>()),
                };
                self.wrong_value(
                    entry,
                    Rule::InvalidValue,
                    format!("unknown value {}", escaped(text)),
                    &help,
                );
            }
        }
    }

    pub(super) fn absolute_path(&mut self, entry: &Entry<'_>) -> Option<Arc<str>> {
        let path = self.string(entry)?;
        self.is_absolute(entry, path).then(|| path.into())
    }

    pub(super) fn listen(&mut self, entry: &Entry<'_>) -> Option<Listen> {
        let text = self.string(entry)?;
        match text.parse() {
            Ok(listen) => Some(listen),
            Err(help) => {
                let message = format!("{} is not an address to listen on", escaped(text));
                self.wrong_value(entry, Rule::InvalidValue, message, &help);
                None
            }
        }
    }

    fn is_absolute(&mut self, entry: &Entry<'_>, path: &str) -> bool {
        if path.contains('\0') {
            let message = "has a NUL character".into();
            self.wrong_value(entry, Rule::NulCharacter, message, "remove the NUL character");
            return false;
        }
        if !path.starts_with('/') {
            let message = format!("must begin with /, but is {}", escaped(path));
            self.wrong_value(
                entry,
                Rule::PathNotAbsolute,
                message,
                "write the whole path from /",
            );
            return false;
        }
        true
    }

    /// Directories, absolute and plain, so that the text of a path shows whether it is inside one.
    pub(super) fn directories(&mut self, entry: &Entry<'_>) -> Vec<Arc<str>> {
        let mut directories = Vec::new();
        for (item, path) in self.strings(entry) {
            let plain = path.strip_suffix('/').unwrap_or(path);
            if !self.is_absolute(&item, path) {
                continue;
            }
            if plain
                .split('/')
                .skip(1)
                .any(|name| matches!(name, "" | "." | ".."))
                || plain.is_empty()
            {
                let message = format!(
                    "must be the plain path of a directory below /, but is {}",
                    escaped(path)
                );
                let help = "write it without //, . and ..";
                self.wrong_value(&item, Rule::InvalidValue, message, help);
                continue;
            }
            directories.push(plain.into());
        }
        directories
    }

    pub(super) fn bad_annotation_key(&mut self, entry: &Entry<'_>, text: &str) {
        let message = format!("{} is not a valid key of the annotation", escaped(text));
        let help = format!(
            "write a DNS name that you own: lower-case letters, digits, - and ., at most {} characters, \
             no / and no kubernetes.io or k8s.io",
            AnnotationKey::LONGEST
        );
        self.wrong_value(entry, Rule::InvalidValue, message, &help);
    }

    pub(super) fn timeout(&mut self, entry: &Entry<'_>, value: &mut Timeout) {
        let help = "write a whole number of seconds greater than 0, without quotes";
        let Some(seconds) = self.integer(entry, Rule::TimeoutNotInteger, help) else {
            return;
        };
        match timeout(seconds, &entry.written()) {
            Ok(timeout) => *value = timeout,
            Err((rule, message)) => self.wrong_value(entry, rule, message, help),
        }
    }

    /// A number of at least one.
    pub(super) fn count(&mut self, entry: &Entry<'_>) -> Option<NonZeroU32> {
        self.count_up_to(u32::MAX, entry)
    }

    /// A number of at least one, and at most `most`.
    pub(super) fn count_up_to(&mut self, most: u32, entry: &Entry<'_>) -> Option<NonZeroU32> {
        let help = "write a whole number greater than 0, without quotes";
        let number = self.integer(entry, Rule::WrongType, help)?;
        let count = u32::try_from(number).ok().filter(|count| *count <= most);
        let count = count.and_then(NonZeroU32::new);
        if count.is_none() {
            let message = format!("must be between 1 and {most}, but is {}", entry.written());
            self.wrong_value(entry, Rule::InvalidValue, message, help);
        }
        count
    }

    /// A whole number; one that 128 bits cannot hold counts as too large. `fraction` is the rule that a
    /// number with a fraction breaks.
    fn integer(&mut self, entry: &Entry<'_>, fraction: Rule, help: &str) -> Option<i128> {
        match entry.value.get_ref() {
            DeValue::Integer(integer) => {
                Some(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(_) => {
                let message = format!("must be a whole number, but is {}", entry.written());
                self.wrong_value(entry, fraction, message, help);
                None
            }
            _ => {
                self.wrong_type(entry, "a whole number", help);
                None
            }
        }
    }
}
