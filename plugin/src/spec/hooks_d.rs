//! Reading a file of hooks.d: one hook, its stages, and the conditions under which it counts.

use std::collections::HashSet;
use std::sync::Arc;

use super::fields::read_hook;
use super::json::{self, Kind, Node};
use super::report::{Field, Report};
use super::text::read_json;
use super::{HookSpec, Parsed, Pattern, Program, When, earlier, other};
use crate::diagnostic::Rule;
use crate::model::{Stage, escaped, prose};

/// The maximum number of conditions of one kind in a file. Each has one or two patterns, which take memory.
const MAX_PATTERNS: usize = 100;

/// The one version of the format that is read.
const VERSION: &str = "1.0.0";

const KEYS: [&str; 4] = ["version", "hook", "when", "stages"];
/// Where each key belongs: into the object of that key, or at the top level (`""`).
const HOMES: [(&str, &str); 13] = [
    ("version", ""),
    ("hook", ""),
    ("when", ""),
    ("stages", ""),
    ("path", "hook"),
    ("args", "hook"),
    ("env", "hook"),
    ("timeout", "hook"),
    ("onFailure", "hook"),
    ("always", "when"),
    ("annotations", "when"),
    ("commands", "when"),
    ("hasBindMounts", "when"),
];
const CONDITIONS: [&str; 4] = ["always", "annotations", "commands", "hasBindMounts"];

/// Reads `bytes`, the content of the hooks.d file `file` (podman and CRI-O, version 1.0.0): its hook under
/// each of its stages, and its conditions. Reads no other file.
///
/// Stricter than podman and CRI-O: an unknown key or stage is an error, because a mistyped condition would
/// hold for every container.
pub fn parse_hooks_d(file: &Arc<str>, bytes: &[u8]) -> Parsed {
    let mut report = Report::new(file, bytes);
    let mut parsed = Parsed::default();
    let if_empty = "a hooks.d file holds one hook, with version, when and stages";
    if let Some(root) = read_json(&mut report.errors, if_empty) {
        read_root(&mut report, root, &mut parsed);
    }
    parsed.errors = report.errors.into_vec();
    parsed
}

/// Whether `bytes` look like a hooks.d file, not like a hook-spec: they have a `version` or a `hook`, which
/// no hook-spec has. They must be JSON.
pub(crate) fn is_hooks_d(bytes: &[u8]) -> bool {
    let mut is = false;
    let text = str::from_utf8(bytes).unwrap_or_default();
    let root = json::parse(text.strip_prefix('\u{feff}').unwrap_or(text)).ok();
    if let Some(root) = root.filter(|root| root.kind() == Kind::Object) {
        // Parsed text has members that can be read.
        let _ = root.members(|key, _| {
            let key = key.text().to_ascii_lowercase();
            is |= matches!(&*key, "\"version\"" | "\"hook\"");
        });
    }
    is
}

fn read_root<'t>(report: &mut Report<'t>, root: Node<'t>, parsed: &mut Parsed) {
    if earlier::refuse(report, root) || other::refuse_as_hooks_d(report, root) {
        return;
    }
    report.homes = &HOMES;
    let help = "a hooks.d file is an object";
    let Some(values) = report.values(root, Field::Whole, &KEYS, help) else {
        return;
    };
    read_values(report, values, parsed);
    // The cause of a key that is in another object is reported there.
    let is_missing = |key: &&str| !report.misplaced.contains(key);
    let keys = values.iter().zip(KEYS).filter(|(value, _)| value.is_none());
    let missing: Vec<&str> = keys.map(|(_, key)| key).filter(is_missing).collect();
    if !missing.is_empty() {
        let message = format!("has no {}", missing.join(", no "));
        let help = "a hooks.d file of version 1.0.0 has version, hook, when and stages";
        report.at(root, Field::Whole, Rule::MissingKey, message, help);
    }
}

fn read_values<'t>(report: &mut Report<'t>, values: [Option<Node<'t>>; 4], parsed: &mut Parsed) {
    let [version, hook, when, stages] = values;
    if let Some(version) = version {
        read_version(report, version);
    }
    if let Some(when) = when {
        parsed.when = read_when(report, when);
    }
    let stages = stages
        .map(|stages| read_stages(report, stages))
        .unwrap_or_default();
    let Some(node) = hook else { return };
    report.within = "hook";
    let hook = read_hook(report, node);
    report.within = "";
    let Some((hook, path)) = hook else { return };
    // A program of startContainer alone is a file of the container.
    if stages.is_empty() || stages.iter().any(|stage| *stage != Stage::StartContainer) {
        parsed.programs.push(Program {
            path: hook.path.as_str().into(),
            stage: None,
            index: None,
            field: "hook.path",
            place: report.place(path),
        });
    }
    let mut spec = HookSpec::default();
    for stage in stages {
        spec.stages.entry(stage).or_default().push(hook.clone());
    }
    parsed.spec = spec;
}

fn read_version(report: &mut Report<'_>, node: Node<'_>) {
    let help = "only version 1.0.0 is supported";
    let Some(version) = report.string(node, Field::Key("version"), help) else {
        return;
    };
    if version != VERSION {
        let message = format!("must be {VERSION}, but is {}", escaped(&version));
        report.at(node, Field::Key("version"), Rule::InvalidValue, message, help);
    }
}

fn read_when<'t>(report: &mut Report<'t>, node: Node<'t>) -> When {
    let mut when = When::default();
    let help = "set always, annotations, commands or hasBindMounts";
    let field = Field::Key("when");
    let errors = report.errors.count();
    let Some([always, annotations, commands, mounts]) = report.values(node, field, &CONDITIONS, help) else {
        return when;
    };
    when.always = always.and_then(|value| boolean(report, value, "when.always"));
    when.has_bind_mounts = mounts.and_then(|value| boolean(report, value, "when.hasBindMounts"));
    if let Some(object) = annotations {
        when.annotations = read_annotations(report, object);
    }
    if let Some(list) = commands {
        when.commands = read_commands(report, list);
    }
    if when.is_empty() && report.errors.count() == errors && !report.misplaced.contains(&"when") {
        report.at(node, field, Rule::MissingKey, "has no condition", help);
    }
    when
}

fn read_annotations<'t>(report: &mut Report<'t>, object: Node<'t>) -> Vec<(Pattern, Pattern)> {
    let mut patterns = Vec::new();
    let (mut seen, mut index) = (HashSet::new(), 0);
    let field = Field::Key("when.annotations");
    let help = "write {\"KEY PATTERN\": \"VALUE PATTERN\"}";
    if report.is_kind(object, field, Kind::Object, help) {
        report.members(object, |report, key, name, value| {
            index += 1;
            if !is_one_of_the_first(report, key, field, index - 1) {
                return;
            }
            if !seen.insert(name.to_owned()) {
                return report.duplicate(key, &escaped(name).to_string());
            }
            let key = pattern(report, key, field);
            let value = pattern(report, value, field);
            patterns.extend(key.zip(value));
        });
    }
    patterns
}

fn read_commands<'t>(report: &mut Report<'t>, list: Node<'t>) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    let field = Field::Key("when.commands");
    if report.is_kind(list, field, Kind::Array, "list the patterns in [ ]") {
        report.items(list, |report, index, item| {
            let field = Field::Item("when.commands", index);
            if is_one_of_the_first(report, item, field, index) {
                patterns.extend(pattern(report, item, field));
            }
        });
    }
    patterns
}

/// Whether `index` is below [`MAX_PATTERNS`]; reports the first that is not.
fn is_one_of_the_first(report: &mut Report<'_>, node: Node<'_>, field: Field, index: usize) -> bool {
    if index == MAX_PATTERNS {
        let message = format!("exceeds the limit of {MAX_PATTERNS} patterns");
        let help = "use fewer, or join some with |";
        report.at(node, field, Rule::TooLarge, message, help);
    }
    index < MAX_PATTERNS
}

fn read_stages<'t>(report: &mut Report<'t>, node: Node<'t>) -> Vec<Stage> {
    let mut stages = Vec::new();
    let field = Field::Key("stages");
    if !report.is_kind(node, field, Kind::Array, "list the stages in [ ]") {
        return stages;
    }
    report.items(node, |report, index, item| {
        let field = Field::Item("stages", index);
        let Some(name) = report.string(item, field, "write it in quotes") else {
            return;
        };
        match Stage::from_key(&name) {
            Some(stage) => stages.push(stage),
            None => {
                let known = Stage::ALL.map(Stage::key);
                report.unknown(item, Rule::UnknownStage, "stage", &name, &known);
            }
        }
    });
    stages
}

fn pattern(report: &mut Report<'_>, node: Node<'_>, field: Field) -> Option<Pattern> {
    let help = "write a regular expression of Go's syntax (RE2)";
    let text = report.string(node, field, help)?;
    match Pattern::new(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let message = format!(
                "{} is not a valid regular expression: {}",
                escaped(&text),
                prose(&error.to_string())
            );
            let help = match text.starts_with('*') {
                true => format!("did you mean {}?", escaped(&format!(".{text}"))),
                false => help.to_owned(),
            };
            report.at(node, field, Rule::InvalidValue, message, help);
            None
        }
    }
}

fn boolean(report: &mut Report<'_>, node: Node<'_>, key: &'static str) -> Option<bool> {
    let is = report.is_kind(node, Field::Key(key), Kind::Bool, "write true or false");
    is.then(|| node.text() == "true")
}
