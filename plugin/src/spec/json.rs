//! JSON in layers. Each value stays a slice of the text until it is needed. So its place in the file is
//! known, a wrong value does not hide the next error, and depth costs no stack.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One value of a valid JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'t>(&'t RawValue);

/// The kind of the value in a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        })
    }
}

/// The reason why a text is not one JSON value.
#[derive(Debug)]
pub(super) enum Malformed {
    /// The text is not JSON up to the end of the first value.
    Syntax(serde_json::Error),
    /// Something follows the first value.
    Trailing(serde_json::Error),
}

/// Parses the one value that `text` holds.
pub(super) fn parse(text: &str) -> Result<Node<'_>, Malformed> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let root = <&RawValue>::deserialize(&mut reader).map_err(Malformed::Syntax)?;
    reader.end().map_err(Malformed::Trailing)?;
    Ok(Node(root))
}

impl<'t> Node<'t> {
    /// The value as it is written.
    pub(super) fn text(self) -> &'t str {
        self.0.get()
    }

    /// The offset of the value in `whole`, the bytes that it was parsed from.
    pub(super) fn offset_in(self, whole: &[u8]) -> usize {
        self.text().as_ptr().addr() - whole.as_ptr().addr()
    }

    pub(super) fn kind(self) -> Kind {
        // The text is valid, so its first byte decides.
        match self.text().as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The string with its escapes resolved. Fails if the value is not a string, or if an escape is not a
    /// character (half a surrogate pair).
    pub(super) fn string(self) -> Result<String, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// Calls `each` with the key and the value of each member of an object, in order, duplicates too.
    pub(super) fn members(self, each: impl FnMut(Node<'t>, Node<'t>)) -> Result<(), serde_json::Error> {
        serde_json::Deserializer::from_str(self.text()).deserialize_map(Members(each, PhantomData))
    }

    /// Calls `each` with each item of an array, in order.
    pub(super) fn items(self, each: impl FnMut(Node<'t>)) -> Result<(), serde_json::Error> {
        serde_json::Deserializer::from_str(self.text()).deserialize_seq(Items(each, PhantomData))
    }
}

/// Reads a value as the slice that holds it.
struct Raw;

impl<'t> DeserializeSeed<'t> for Raw {
    type Value = Node<'t>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Node<'t>, D::Error> {
        <&'t RawValue>::deserialize(deserializer).map(Node)
    }
}

struct Members<'t, F>(F, PhantomData<&'t ()>);

impl<'t, F: FnMut(Node<'t>, Node<'t>)> Visitor<'t> for Members<'t, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry_seed(Raw, Raw)? {
            (self.0)(key, value);
        }
        Ok(())
    }
}

struct Items<'t, F>(F, PhantomData<&'t ()>);

impl<'t, F: FnMut(Node<'t>)> Visitor<'t> for Items<'t, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element_seed(Raw)? {
            (self.0)(item);
        }
        Ok(())
    }
}
