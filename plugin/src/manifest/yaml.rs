//! YAML to JSON values, within bounds: neither aliases nor depth can exhaust memory or stack.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
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
        let (event, span) = event.map_err(|error| {
            let what = format!("is not valid YAML: {}", plain(error.info()));
            at(error.marker(), what)
        })?;
        builder.take(event).map_err(|what| at(&span.start, what))?;
    }
    Ok(builder.documents)
}

fn at(marker: &Marker, what: String) -> ManifestError {
    let (line, column) = (marker.line(), marker.col() + 1);
    ManifestError::Syntax { line, column, what }
}

/// The message of the YAML parser, which may quote the text: in printable ASCII, and of bounded length.
fn plain(prose: &str) -> String {
    prose.chars().take(200).flat_map(char::escape_default).collect()
}

const NO_KEY: &str = "a key must be a string";

/// A list or map that is being read.
struct Open {
    value: Value,
    /// 0: none.
    anchor: usize,
    /// In a map, the key of the next value.
    key: Option<String>,
    /// In a map, the values of YAML's merge key; keys beside it take precedence.
    merged: Vec<Value>,
}

impl Open {
    fn awaits_key(&self) -> bool {
        self.value.is_object() && self.key.is_none()
    }

    /// Adds an item to a list; to a map the next key, or the value of the last one.
    fn add(&mut self, value: Value) -> Result<(), String> {
        match (&mut self.value, self.key.take(), value) {
            (Value::Array(items), _, value) => items.push(value),
            (_, None, Value::String(name)) => self.key = Some(name),
            (_, None, _) => return Err(NO_KEY.to_owned()),
            (_, Some(name), Value::Array(maps)) if name == "<<" => self.merged.extend(maps),
            (_, Some(name), map) if name == "<<" => self.merged.push(map),
            (map, Some(name), _) if map.get(&name).is_some() => {
                return Err(format!("the key {} is in this map twice", escaped(&name)));
            }
            (map, Some(name), value) => map[name] = value,
        }
        Ok(())
    }

    /// The complete value. If two merged maps have the same key, the first counts.
    fn closed(mut self) -> Result<Value, String> {
        for map in self.merged {
            let (Value::Object(members), Value::Object(merged)) = (&mut self.value, map) else {
                return Err("<< merges maps, and lists of maps".to_owned());
            };
            for (name, value) in merged {
                members.entry(name).or_insert(value);
            }
        }
        Ok(self.value)
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
            Event::SequenceStart(anchor, _) => self.begin(Value::Array(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.begin(Value::Object(Map::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => {
                    let anchor = open.anchor;
                    self.add(open.closed()?, anchor)
                }
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
        self.open.last().is_some_and(Open::awaits_key)
    }

    fn begin(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if self.awaits_key() {
            return Err(NO_KEY.to_owned());
        }
        if self.open.len() == DEEPEST {
            return Err(format!("lists and maps are nested more than {DEEPEST} deep"));
        }
        self.count(1)?;
        self.open.push(Open {
            value,
            anchor,
            key: None,
            merged: Vec::new(),
        });
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
            Some(open) => open.add(value)?,
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
