//! The drop-in for containerd: what it needs for us, and what the administrator's files say otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::layout::{CONTAINERD, CONTAINERD_DROP_IN};
use crate::doctor::{InstalledRuntime, NRI, Node, containerd_imports};
use crate::model::shown_path;

const CONTAINERD_1_7: &str = include_str!("../../../deploy/containerd/containerd-1.7.toml");
const CONTAINERD_2: &str = include_str!("../../../deploy/containerd/containerd-2.toml");

/// A value of the administrator's: as it is written, and the file that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Own {
    written: String,
    from: PathBuf,
}

/// The drop-in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DropIn {
    pub(super) text: String,
    /// What is kept in it that is not ours, for people: key and file.
    pub(super) kept: Vec<String>,
    /// The administrator's socket and directory of plugins.
    pub(super) socket: Option<String>,
    pub(super) plugins: Option<String>,
}

/// The drop-in for a node whose main file has this text. The administrator's values are kept, as 1.7
/// replaces the whole table; but NRI is on, and open to connections if the daemon `connects`.
pub(super) fn drop_in(node: &Node, runtime: InstalledRuntime, main: &str, connects: bool) -> DropIn {
    let is_1 = runtime == InstalledRuntime::Containerd17;
    let mut own = own_values(node, main, is_1);
    let path = |key: &str| {
        let written = &own.get(key)?.written;
        let table = format!("path = {written}").parse::<toml::Table>().ok()?;
        Some(table.get("path")?.as_str()?.to_owned())
    };
    let (socket, plugins) = (path("socket_path"), path("plugin_path"));
    own.remove("disable");
    if connects {
        own.remove("disable_connections");
    }
    let template = if is_1 { CONTAINERD_1_7 } else { CONTAINERD_2 };
    let (mut text, mut kept) = (String::new(), Vec::new());
    let mut keep = |text: &mut String, key: &str, own: &Own| {
        let from = shown_path(&own.from);
        *text += &format!("# From {from}:\n{key} = {}\n", own.written);
        kept.push(format!("{key} of {from}"));
    };
    for line in template.lines() {
        let assigned = line.split_once(" = ");
        match assigned.and_then(|(key, value)| Some((key, value, own.remove(key)?))) {
            Some((key, value, own)) if own.written != value => keep(&mut text, key, &own),
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    // containerd 2 adds table to table.
    for (key, own) in own.iter().filter(|_| is_1) {
        text.push('\n');
        keep(&mut text, &quoted(key), own);
    }
    DropIn {
        text,
        kept,
        socket,
        plugins,
    }
}

/// A key as TOML has it.
fn quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", key.chars().map(escape).collect::<String>())
}

/// The NRI table that is in force before the drop-in is read.
fn own_values(node: &Node, main: &str, replaces: bool) -> BTreeMap<String, Own> {
    let mut own = BTreeMap::new();
    add(&mut own, main, Path::new(CONTAINERD), replaces);
    let imports = main.parse().map(|main| containerd_imports(node, &main));
    let drop_in = node.real(CONTAINERD_DROP_IN);
    let before = imports.unwrap_or_default();
    let before = before.iter().take_while(|file| node.real(file) != drop_in);
    for file in before {
        if let Ok(text) = fs::read_to_string(node.path(file)) {
            add(&mut own, &text, file, replaces);
        }
    }
    own
}

/// Adds the NRI table of one file, or replaces what is there by it.
fn add(own: &mut BTreeMap<String, Own>, text: &str, from: &Path, replaces: bool) {
    let (table, _) = DeTable::parse_recoverable(text);
    let nri = get(table.get_ref(), "plugins").and_then(|plugins| get(plugins.get_ref().as_table()?, NRI));
    let Some(nri) = nri.and_then(|nri| nri.get_ref().as_table()) else {
        return;
    };
    if replaces {
        own.clear();
    }
    for (key, value) in nri {
        // A table under a heading of its own has no value that could be copied.
        let written = text.get(value.span()).unwrap_or_default();
        if !matches!(value.get_ref(), DeValue::Table(_)) || written.starts_with('{') {
            let value = Own {
                written: written.to_owned(),
                from: from.to_owned(),
            };
            own.insert(key.get_ref().to_string(), value);
        }
    }
}

fn get<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t toml::Spanned<DeValue<'i>>> {
    table
        .iter()
        .find(|(name, _)| name.get_ref() == key)
        .map(|(_, value)| value)
}
