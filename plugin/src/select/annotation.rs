//! The annotations of a pod: which one counts for a container, and which hook-specs its value selects.
//!
//! Nothing here reads a file. Every user who may create a pod can write this text.

use std::collections::HashMap;

use thiserror::Error;

use crate::config::AnnotationKey;
use crate::model::escaped;

/// The maximum number of hook-specs that one annotation may select.
pub(crate) const MAX_SELECTED: usize = 16;

/// The maximum length of a spec's name: with `.json` it is a file name of 255 bytes.
const LONGEST_NAME: usize = 250;

/// The maximum length of a spec's path that the kernel accepts.
const LONGEST_PATH: usize = 4095;

/// The reference to one hook-spec in an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SpecRef {
    /// A bare name: `gpu` is `gpu.json` in the first spec directory that has it.
    Name(String),
    /// An absolute path without `.`, `..` and `//`.
    Path(String),
}

impl SpecRef {
    /// The text in the annotation.
    pub(super) fn text(&self) -> &str {
        match self {
            SpecRef::Name(text) | SpecRef::Path(text) => text,
        }
    }
}

/// The faults of our annotations on a pod, before any file is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AnnotationFault {
    /// A key of ours with a scope that does not exist.
    #[error("unknown scope; write {key}, {key}/pod or {key}/container.NAME")]
    UnknownScope {
        /// The key without a scope.
        key: AnnotationKey,
    },
    /// An empty element between two commas, before the first or after the last.
    #[error("element {position} of the list is empty; separate the names of hook-specs with one comma")]
    EmptyElement {
        /// Its position, from 1.
        position: usize,
    },
    /// More than [`MAX_SELECTED`].
    #[error("selects {count} hook-specs; at most {MAX_SELECTED} are allowed")]
    TooMany {
        /// Their number.
        count: usize,
    },
    /// The selected hook-specs together have too many hooks.
    #[error("selects {count} hooks; at most {max} are allowed")]
    TooManyHooks {
        /// Their number.
        count: usize,
        /// The allowed number.
        max: u32,
    },
    /// Neither a name nor an absolute path.
    #[error(
        "{} is neither the bare name of a hook-spec (letters, digits, \".\", \"_\" and \"-\", at most \
         {LONGEST_NAME}, a letter or digit first) nor an absolute path to one", escaped(.0)
    )]
    NotASelection(String),
    /// A path with `.`, `..`, `//`, a slash at its end or a control character, or too long.
    #[error("{} is not a plain absolute path; write it without \"//\", \".\", \"..\", a last \"/\" and control characters", escaped(.0))]
    NotPlain(String),
}

/// The scope of one of our annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'n> {
    /// The bare key: every container.
    Bare,
    /// `/pod`: every container.
    Pod,
    /// `/container.NAME`: this one.
    Container(&'n str),
    /// A scope that does not exist.
    Unknown,
}

impl Scope<'_> {
    /// The annotation with the greater value counts.
    fn nearness(self) -> u8 {
        match self {
            Scope::Unknown | Scope::Bare => 0,
            Scope::Pod => 1,
            Scope::Container(_) => 2,
        }
    }
}

/// The scope of the annotation called `name`; `None` if it is not ours.
pub(super) fn scope<'n>(key: &AnnotationKey, name: &'n str) -> Option<Scope<'n>> {
    let rest = name.strip_prefix(key.as_str())?;
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Some(Scope::Bare),
        // Another key with the same beginning.
        None => None,
        Some("pod") => Some(Scope::Pod),
        Some(scope) => match scope.strip_prefix("container.") {
            Some("") | None => Some(Scope::Unknown),
            Some(name) => Some(Scope::Container(name)),
        },
    }
}

/// The annotation that counts for the container called `container`, with its value. The scope
/// `/container.NAME` takes precedence over `/pod`, and that over the bare key; `None` if there is none.
///
/// A container whose name has over 53 characters has no scope of its own: its key would be longer than
/// Kubernetes allows.
///
/// Fails, with the annotation at fault, if any key of ours has another scope.
pub(super) fn effective<'a>(
    key: &AnnotationKey,
    annotations: &'a HashMap<String, String>,
    container: &str,
) -> Result<Option<(&'a str, &'a str)>, (String, AnnotationFault)> {
    // The nearest scope so far, with its nearness.
    let mut nearest: Option<(u8, &str, &str)> = None;
    // The first in the alphabet, so that the same pod always gets the same message.
    let mut unknown: Option<&str> = None;
    for (name, value) in annotations {
        let scope = match scope(key, name) {
            None => continue,
            Some(Scope::Container(name)) if name != container => continue,
            Some(Scope::Unknown) => {
                unknown = Some(unknown.map_or(name.as_str(), |first| first.min(name)));
                continue;
            }
            Some(scope) => scope.nearness(),
        };
        if nearest.is_none_or(|(known, _, _)| known < scope) {
            nearest = Some((scope, name, value));
        }
    }
    match unknown {
        Some(name) => Err((
            name.to_owned(),
            AnnotationFault::UnknownScope { key: key.clone() },
        )),
        None => Ok(nearest.map(|(_, name, value)| (name, value))),
    }
}

/// The hook-specs that an annotation's value selects, in its order; none if it is empty. Blanks around an
/// element do not count.
pub(super) fn spec_refs(value: &str) -> Result<Vec<SpecRef>, AnnotationFault> {
    if trimmed(value).is_empty() {
        return Ok(Vec::new());
    }
    let count = value.split(',').count();
    if count > MAX_SELECTED {
        return Err(AnnotationFault::TooMany { count });
    }
    value
        .split(',')
        .enumerate()
        .map(|(index, element)| match trimmed(element) {
            "" => Err(AnnotationFault::EmptyElement { position: index + 1 }),
            element => spec_ref(element),
        })
        .collect()
}

/// The text without blanks around it; a line break does not count as a blank.
fn trimmed(text: &str) -> &str {
    text.trim_matches(' ')
}

fn spec_ref(element: &str) -> Result<SpecRef, AnnotationFault> {
    if let Some(path) = element.strip_prefix('/') {
        let plain = element.len() <= LONGEST_PATH
            && !element.contains(char::is_control)
            && !path.split('/').any(|name| matches!(name, "" | "." | ".."));
        return if plain {
            Ok(SpecRef::Path(element.to_owned()))
        } else {
            Err(AnnotationFault::NotPlain(element.to_owned()))
        };
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let named = element.len() <= LONGEST_NAME
        && element.starts_with(|first: char| first.is_ascii_alphanumeric())
        && element.bytes().all(in_name);
    if named {
        Ok(SpecRef::Name(element.to_owned()))
    } else {
        Err(AnnotationFault::NotASelection(element.to_owned()))
    }
}
