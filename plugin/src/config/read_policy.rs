//! Parses the keys of `[[default_specs]]` and of `[[annotation.rules]]`, and their values.

use std::collections::BTreeSet;

use super::model::{DefaultSpec, Word, is_dns_label};
use super::values::{Entry, Reader};
use super::{Effect, Glob, Names, SelectionRule};
use crate::diagnostic::Rule;
use crate::model::{Stage, escaped};

pub(super) const RULE_KEYS: [&str; 3] = ["effect", "namespaces", "specs"];

pub(super) const DEFAULT_SPEC_KEYS: [&str; 2] = ["hook_spec", "namespaces"];

/// The default hook-specs in `entry`, in order.
pub(super) fn default_specs(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Vec<DefaultSpec> {
    let items = reader.items(entry, "a list of tables", "write each as [[default_specs]]");
    let mut specs = Vec::new();
    for item in items {
        specs.extend(default_spec(reader, &item));
    }
    specs
}

/// `None` if it names no file.
fn default_spec(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<DefaultSpec> {
    let (mut hook_spec, mut namespaces, mut is_named) = (None, None, false);
    for (key, value) in reader.table(entry)? {
        let member = Entry::new(&format!("{}.", entry.name()), key, value);
        match key.get_ref().as_ref() {
            "hook_spec" => {
                is_named = true;
                hook_spec = reader.absolute_path(&member);
            }
            "namespaces" => namespaces = Some(Names::new(globs(reader, &member, namespace))),
            _ => reader.unknown(&member, &DEFAULT_SPEC_KEYS),
        }
    }
    if !is_named {
        let help = "write hook_spec = \"/etc/nri-oci-hooks/NAME.json\"";
        reader.wrong_value(entry, Rule::MissingKey, "has no hook_spec".into(), help);
    }
    Some(DefaultSpec {
        hook_spec: hook_spec?,
        namespaces,
    })
}

/// The rules in `entry`, in order.
pub(super) fn rules(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Vec<SelectionRule> {
    let mut rules = Vec::new();
    for item in reader.items(
        entry,
        "a list of tables",
        "write each rule as [[annotation.rules]]",
    ) {
        rules.extend(rule(reader, &item));
    }
    rules
}

/// `None` if it has no usable effect.
fn rule(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<SelectionRule> {
    let table = reader.table(entry)?;
    let mut effect = None;
    let (mut namespaces, mut specs) = (None, None);
    for (key, value) in table {
        let member = Entry::new(&format!("{}.", entry.name()), key, value);
        match key.get_ref().as_ref() {
            "effect" => {
                // The default does not matter: without a valid effect, an error is reported.
                let mut word = Effect::Deny;
                reader.word(&member, &mut word);
                effect = Some(word);
            }
            "namespaces" => namespaces = Some(globs(reader, &member, namespace)),
            "specs" => specs = Some(globs(reader, &member, spec)),
            _ => reader.unknown(&member, &RULE_KEYS),
        }
    }
    if effect.is_none() {
        let help = "write effect = \"allow\" or effect = \"deny\"";
        reader.wrong_value(entry, Rule::MissingKey, "has no effect".into(), help);
    }
    Some(SelectionRule {
        effect: effect?,
        namespaces,
        specs,
    })
}

/// The namespaces in `entry`, each as a pattern; an empty list has none.
pub(super) fn namespaces(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Names {
    Names::new(patterns(reader, entry, namespace))
}

/// The patterns of a list, each parsed by `read`. An empty list would match nothing, and so is an error.
fn globs(
    reader: &mut Reader<'_>,
    entry: &Entry<'_>,
    read: fn(&str) -> Result<Glob, &'static str>,
) -> Vec<Glob> {
    if entry.is_empty_list() {
        let help = "list at least one, or remove the key to match all";
        reader.wrong_value(entry, Rule::InvalidValue, "is empty".into(), help);
    }
    patterns(reader, entry, read)
}

fn patterns(
    reader: &mut Reader<'_>,
    entry: &Entry<'_>,
    read: fn(&str) -> Result<Glob, &'static str>,
) -> Vec<Glob> {
    let mut globs = Vec::new();
    let items = reader.strings(entry);
    for (item, text) in items {
        match read(text) {
            Ok(glob) => globs.push(glob),
            Err(help) => {
                let message = format!("{} can match nothing", escaped(text));
                reader.wrong_value(&item, Rule::InvalidValue, message, help);
            }
        }
    }
    globs
}

/// A pattern of namespaces.
fn namespace(text: &str) -> Result<Glob, &'static str> {
    // If any name matches, one of these two does: each star becomes a letter, or nothing.
    let like = |star: &str| text.replace('*', star).replace('?', "x");
    if is_dns_label(&like("x")) || is_dns_label(&like("")) {
        Ok(Glob::new(text))
    } else {
        Err(
            "write the name of a namespace (1 to 63 lower-case letters, digits and -), with * and ? where needed",
        )
    }
}

/// A pattern of hook-specs: of their names, or of their paths if it begins with `/`. The extension does not
/// count, so `gpu` and `gpu.json` are the same.
fn spec(text: &str) -> Result<Glob, &'static str> {
    let name = text.trim_end_matches(".json");
    let below = name.strip_prefix('/').unwrap_or(name);
    let plain =
        !name.contains(char::is_control) && !below.split('/').any(|part| matches!(part, "" | "." | ".."));
    if plain {
        Ok(Glob::new(name))
    } else {
        Err(
            "write the name of a hook-spec or its path from /, with * and ? where needed, without //, . and ..",
        )
    }
}

/// The stages in `entry`. An empty list would match nothing, and is an error.
pub(super) fn stages(reader: &mut Reader<'_>, entry: &Entry<'_>) -> BTreeSet<Stage> {
    let mut stages = BTreeSet::new();
    if entry.is_empty_list() {
        let help = "list at least one, or remove the key to allow every stage";
        reader.wrong_value(entry, Rule::InvalidValue, "is empty".into(), help);
    }
    for (item, _) in reader.strings(entry) {
        let mut stage = Stage::WORDS[0].1;
        reader.word(&item, &mut stage);
        stages.insert(stage);
    }
    stages
}
