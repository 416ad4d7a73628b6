//! YAML to JSON values, within bounds: neither aliases nor depth can exhaust memory or stack.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

use super::ManifestError;
use crate::model::escaped;

/// The maximum depth of nested lists and maps.
const DEEPEST: usize = 100;

/// The maximum number of values. An alias counts as all values that it repeats.
const MAX_VALUES: usize = 200_000;

/// The documents of a YAML text.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        builder.take(event).map_err(|what| at(&span, what))?;
    }
    Ok(builder.documents)
}

fn syntax(error: &ScanError) -> ManifestError {
    ManifestError::Syntax {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        what: format!("is not valid YAML: {}", plain(error.info())),
    }
}

fn at(span: &Span, what: String) -> ManifestError {
    ManifestError::Syntax {
        line: span.start.line(),
        column: span.start.col() + 1,
        what,
    }
}

/// The message of the YAML parser, which may quote the text: in printable ASCII, and of bounded length.
fn plain(prose: &str) -> String {
    prose.chars().take(200).flat_map(char::escape_default).collect()
}

const NO_KEY: &str = "a key must be a string";

/// A list or map that is being read, and its anchor (0: none).
enum Open {
    List(usize, Vec<Value>),
    Map(usize, OpenMap),
}

#[derive(Default)]
struct OpenMap {
    members: Map<String, Value>,
    /// The maps of YAML's merge key; keys beside it take precedence.
    merged: Map<String, Value>,
    /// The key of the next value.
    key: Option<String>,
}

impl OpenMap {
    fn closed(mut self) -> Value {
        for (name, value) in self.merged {
            self.members.entry(name).or_insert(value);
        }
        Value::Object(self.members)
    }

    /// Adds the next key, or the value of the last one.
    fn add(&mut self, value: Value) -> Result<(), String> {
        match (self.key.take(), value) {
            (None, Value::String(name)) => self.key = Some(name),
            (None, _) => return Err(NO_KEY.to_owned()),
            (Some(name), Value::Object(merged)) if name == "<<" => self.merge(merged),
            (Some(name), Value::Array(maps)) if name == "<<" => {
                for map in maps {
                    let Value::Object(merged) = map else {
                        return Err("<< merges maps, and lists of maps".to_owned());
                    };
                    self.merge(merged);
                }
            }
            (Some(name), _) if self.members.contains_key(&name) => {
                return Err(format!("the key {} is in this map twice", escaped(&name)));
            }
            (Some(name), value) => {
                self.members.insert(name, value);
            }
        }
        Ok(())
    }

    /// If two maps have the same key, the first counts.
    fn merge(&mut self, map: Map<String, Value>) {
        for (name, value) in map {
            self.merged.entry(name).or_insert(value);
        }
    }

    fn awaits_key(&self) -> bool {
        self.key.is_none()
    }
}

#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.count(1)?;
                let is_key = self.awaits_key();
                let value = match style {
                    ScalarStyle::Plain if !is_key => resolved(&text),
                    _ => Value::String(text.into_owned()),
                };
                self.add(value, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).ok_or("an alias of itself")?.clone();
                self.count(size(&value))?;
                self.add(value, 0)
            }
            Event::SequenceStart(anchor, _) => self.begin(Open::List(anchor, Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(Open::Map(anchor, OpenMap::default())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(anchor, items)) => self.add(Value::Array(items), anchor),
                Some(Open::Map(anchor, map)) => self.add(map.closed(), anchor),
                None => Ok(()),
            },
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map(_, map)) if map.awaits_key())
    }

    fn begin(&mut self, open: Open) -> Result<(), String> {
        if self.awaits_key() {
            return Err(NO_KEY.to_owned());
        }
        if self.open.len() == DEEPEST {
            return Err(format!("lists and maps are nested more than {DEEPEST} deep"));
        }
        self.count(1)?;
        self.open.push(open);
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), String> {
        self.values += more;
        if self.values > MAX_VALUES {
            return Err(format!(
                "holds more than {MAX_VALUES} values, aliases counted in full"
            ));
        }
        Ok(())
    }

    /// Adds a complete value to its list or map.
    fn add(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.documents.push(value),
            Some(Open::List(_, items)) => items.push(value),
            Some(Open::Map(_, map)) => map.add(value)?,
        }
        Ok(())
    }
}

/// The number of values in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// A plain scalar by the core schema of YAML 1.2.
fn resolved(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            Ok(integer) => Value::Number(integer.into()),
            Err(_) => match text.parse::<f64>().ok().and_then(Number::from_f64) {
                Some(float) => Value::Number(float),
                None => Value::String(text.to_owned()),
            },
        },
    }
}
