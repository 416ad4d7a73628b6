//! The files of containerd: the main one, which must import the drop-in, and the drop-in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

use super::error::EditError;
use crate::model::{escaped_path, prose};
use crate::node::{InstalledRuntime, NRI, Node, containerd_imports};

pub(super) const MAIN: &str = "/etc/containerd/config.toml";
pub(super) const DROP_IN: &str = "/etc/containerd/conf.d/nri-oci-hooks.toml";
/// Only the drop-ins of this program: other files in that directory may be unread for a reason.
pub(super) const IMPORT: &str = "/etc/containerd/conf.d/nri-oci-hooks*.toml";

const CONTAINERD_1_7: &str = include_str!("../../../deploy/containerd/containerd-1.7.toml");
const CONTAINERD_2: &str = include_str!("../../../deploy/containerd/containerd-2.toml");

/// The main file with the drop-in imported; `None` if it is already imported. An empty file gets the format
/// `format`.
///
/// Fails with the reason why the file cannot be changed.
pub(super) fn with_import(node: &Node, text: &str, format: i64) -> Result<Option<String>, EditError> {
    let mut file = parse(text)?;
    if text.trim().is_empty() {
        return Ok(Some(format!("version = {format}\nimports = [\"{IMPORT}\"]\n")));
    }
    if file.get("version").and_then(Item::as_integer).unwrap_or(1) < 2 {
        return Err(EditError::FormatOne);
    }
    let drop_in = node.real(DROP_IN);
    if imports(node, text)
        .iter()
        .any(|pattern| node.real(pattern) == drop_in)
    {
        return Ok(None);
    }
    match file.get_mut("imports") {
        // Keys without a table must be before the first table.
        None => return Ok(Some(format!("imports = [\"{IMPORT}\"]\n{text}"))),
        Some(list) => add(list.as_array_mut().ok_or(EditError::ImportsNotAList)?),
    }
    Ok(Some(file.to_string()))
}

/// The main file without the import of the drop-in; `None` if it has none.
pub(super) fn without_import(text: &str) -> Result<Option<String>, EditError> {
    let mut file = parse(text)?;
    let Some(list) = file.get_mut("imports").and_then(Item::as_array_mut) else {
        return Ok(None);
    };
    let Some(at) = list.iter().position(|item| item.as_str() == Some(IMPORT)) else {
        return Ok(None);
    };
    list.remove(at);
    if list.is_empty() {
        let line = format!("imports = [\"{IMPORT}\"]\n");
        // Removes the line at the beginning. Otherwise the empty list stays, with the comments beside it.
        return Ok(Some(
            text.strip_prefix(&line)
                .map_or_else(|| file.to_string(), str::to_owned),
        ));
    }
    Ok(Some(file.to_string()))
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse::<DocumentMut>()
        .map_err(|error| EditError::InvalidToml(prose(error.message())))
}

/// Adds the import after the last one, whose comma and comments stay.
fn add(list: &mut Array) {
    let mut import = Value::from(IMPORT);
    if let Some(last) = list.iter().last() {
        let prefix = last.decor().prefix().and_then(|space| space.as_str());
        import.decor_mut().set_prefix(prefix.unwrap_or(" "));
    }
    list.push_formatted(import);
}

/// The files that the main file imports, and the drop-in's path if a pattern matches it.
fn imports(node: &Node, text: &str) -> Vec<PathBuf> {
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let patterns = table.get("imports").and_then(toml::Value::as_array);
    let covers = |pattern: &str| {
        matches!(
            pattern,
            IMPORT | DROP_IN | "/etc/containerd/conf.d/*.toml" | "conf.d/*.toml"
        )
    };
    let is_covered = patterns.is_some_and(|list| list.iter().filter_map(toml::Value::as_str).any(covers));
    let mut files = containerd_imports(node, &table);
    files.extend(is_covered.then(|| DROP_IN.into()));
    files
}

/// A value of the administrator, and its file.
struct Own {
    value: Value,
    from: PathBuf,
}

/// The drop-in.
pub(super) struct DropIn {
    pub(super) text: String,
    /// The administrator's values in the drop-in, for people: key and file.
    pub(super) kept: Vec<String>,
    /// The administrator's socket.
    pub(super) socket: Option<String>,
}

/// The drop-in for a node with this text in its main file. NRI is on and accepts connections; all other
/// values of the administrator stay. 1.7 needs them repeated, because there a later table replaces an earlier
/// one.
pub(super) fn drop_in(node: &Node, runtime: InstalledRuntime, main: &str) -> Result<DropIn, EditError> {
    let is_1 = runtime == InstalledRuntime::Containerd17;
    let mut own = own_values(node, main, is_1);
    let socket = own
        .get("socket_path")
        .and_then(|own| own.value.as_str())
        .map(str::to_owned);
    own.retain(|key, _| key != "disable" && key != "disable_connections");
    let mut file = parse(if is_1 { CONTAINERD_1_7 } else { CONTAINERD_2 })?;
    let nri = file.get_mut("plugins").and_then(|plugins| plugins.get_mut(NRI));
    let nri = nri.and_then(Item::as_table_mut).ok_or(EditError::NoNriTable)?;
    let mut kept = Vec::new();
    for (key, own) in own {
        // containerd 2 merges the tables key by key.
        if !is_1 && !nri.contains_key(&key) {
            continue;
        }
        let from = escaped_path(&own.from);
        let mut value = own.value;
        value.decor_mut().set_suffix(format!(" # from {from}"));
        nri.insert(&key, Item::Value(value));
        kept.push(format!("{key} of {from}"));
    }
    Ok(DropIn {
        text: file.to_string(),
        kept,
        socket,
    })
}

/// The NRI table that is active before the drop-in is read.
fn own_values(node: &Node, main: &str, replaces: bool) -> BTreeMap<String, Own> {
    let mut own = BTreeMap::new();
    add_own(&mut own, main, Path::new(MAIN), replaces);
    let drop_in = node.real(DROP_IN);
    let before = imports(node, main).into_iter();
    for file in before.take_while(|file| node.real(file) != drop_in) {
        if let Ok(text) = fs::read_to_string(node.path(&file)) {
            add_own(&mut own, &text, &file, replaces);
        }
    }
    own
}

/// Adds the NRI table of one file, or replaces the earlier table with it.
fn add_own(own: &mut BTreeMap<String, Own>, text: &str, from: &Path, replaces: bool) {
    let Ok(file) = text.parse::<DocumentMut>() else {
        return;
    };
    let nri = file.get("plugins").and_then(|plugins| plugins.get(NRI));
    let Some(nri) = nri.and_then(Item::as_table_like) else {
        return;
    };
    if replaces {
        own.clear();
    }
    own.extend(values(nri).map(|(key, mut value)| {
        value.decor_mut().clear();
        let from = from.to_owned();
        (key, Own { value, from })
    }));
}

fn values(table: &dyn TableLike) -> impl Iterator<Item = (String, Value)> {
    let values = table
        .iter()
        .filter_map(|(key, item)| Some((key.to_owned(), item.clone().into_value().ok()?)));
    values.collect::<Vec<_>>().into_iter()
}
