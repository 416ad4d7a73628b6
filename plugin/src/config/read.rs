//! Parses a configuration: its sources, and the meaning of each key.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::listen::ListenAt;
use super::model::{Annotation, AnnotationKey, Config, Delivery, MissedAction};
use super::values::{Entry, Reader};
use super::{read_limits, read_policy};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Timeout, escaped};

/// The maximum size of a configuration, in bytes: parsing it takes a multiple of that.
pub(super) const MAX_SIZE: u64 = 256 * 1024;

/// The settings of the command line, which take precedence over the file and the runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--hook-spec`, in place of `hook_spec`.
    pub(crate) hook_spec: Option<String>,
    /// `--delivery`, in place of `delivery`.
    pub(crate) delivery: Option<Delivery>,
    /// `--state-dir`, in place of `state_dir`.
    pub(crate) state_dir: Option<String>,
    /// `--listen`, in place of `listen`.
    pub(crate) listen: Option<ListenAt>,
}

impl Config {
    /// Parses the configuration in `text`, with `overrides`. `source` names its origin in messages, such as
    /// the runtime that sent it in Configure. An empty text means the defaults.
    ///
    /// Fails with all errors.
    pub fn from_text(source: &str, text: &str, overrides: &Overrides) -> Result<Config, Vec<Diagnostic>> {
        Config::from_bytes(source, text.as_bytes(), overrides)
    }

    pub(super) fn from_bytes(
        source: &str,
        bytes: &[u8],
        overrides: &Overrides,
    ) -> Result<Config, Vec<Diagnostic>> {
        let source = Arc::from(source);
        if bytes.len() as u64 > MAX_SIZE {
            let message = format!("is larger than 256 KiB ({MAX_SIZE} bytes)");
            let help = "a configuration is a few lines; is this the right file?";
            return Err(vec![Diagnostic::of_file(&source, Rule::TooLarge, message, help)]);
        }
        let mut reader = Reader::new(&source, bytes);
        let mut config = Config::default();
        if let Some(table) = reader.parse() {
            read_top(&mut reader, &table, &mut config);
        }
        let mut errors = reader.errors.into_vec();
        errors.extend(overrides.apply(&mut config));
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(errors)
        }
    }
}

/// The state directory of a configuration that may be invalid, as far as it can be parsed; with `overrides`.
pub(crate) fn state_dir_of(text: &[u8], overrides: &Overrides) -> Arc<str> {
    if let Some(state_dir) = &overrides.state_dir {
        return Arc::from(&**state_dir);
    }
    let text = String::from_utf8_lossy(text);
    let (table, _) = DeTable::parse_recoverable(&text);
    let named = table.get_ref().get("state_dir");
    let named = named.and_then(|value| value.get_ref().as_str());
    let named = named.filter(|path| path.starts_with('/'));
    named.map_or_else(|| Config::default().state_dir, Arc::from)
}

impl Overrides {
    /// Applies the settings to `config`; returns their errors.
    fn apply(&self, config: &mut Config) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        let mut path = |option: &str, given: &Option<String>| {
            let path = given.as_deref()?;
            let error = relative(option, path);
            let is_good = error.is_none();
            errors.extend(error);
            is_good.then(|| Arc::<str>::from(path))
        };
        if let Some(hook_spec) = path("--hook-spec", &self.hook_spec) {
            config.hook_spec = Some(hook_spec);
        }
        if let Some(state_dir) = path("--state-dir", &self.state_dir) {
            config.state_dir = state_dir;
        }
        if let Some(delivery) = self.delivery {
            config.delivery = delivery;
        }
        match &self.listen {
            Some(ListenAt::Nowhere) => config.listen = None,
            Some(ListenAt::Place(place)) => config.listen = Some(place.clone()),
            None => {}
        }
        errors
    }
}

fn relative(option: &str, path: &str) -> Option<Diagnostic> {
    if path.starts_with('/') {
        return None;
    }
    let message = format!("must begin with /, but is {}", escaped(path));
    let help = "write the whole path from /";
    Some(Diagnostic::of_file(
        &Arc::from(option),
        Rule::PathNotAbsolute,
        message,
        help,
    ))
}

/// Every key of a configuration, with its tables: `annotation.rules[].effect`.
pub fn keys() -> Vec<String> {
    let tables = ["default_specs", "runtimes", "limits", "missed", "annotation"];
    let top = TOP_KEYS.iter().filter(|key| !tables.contains(key));
    let annotation = ANNOTATION_KEYS.iter().filter(|key| **key != "rules");
    let mut keys: Vec<String> = top.map(ToString::to_string).collect();
    keys.extend(read_policy::DEFAULT_SPEC_KEYS.map(|key| format!("default_specs[].{key}")));
    keys.extend(RUNTIME_KEYS.map(|key| format!("runtimes.NAME.{key}")));
    keys.extend(read_limits::KEYS.map(|key| format!("limits.{key}")));
    keys.extend(MISSED_KEYS.map(|key| format!("missed.{key}")));
    keys.extend(annotation.map(|key| format!("annotation.{key}")));
    keys.extend(read_policy::RULE_KEYS.map(|key| format!("annotation.rules[].{key}")));
    keys
}

const TOP_KEYS: [&str; 13] = [
    "hook_spec",
    "default_specs",
    "hooks_dirs",
    "exclude_namespaces",
    "failure_policy",
    "delivery",
    "runtimes",
    "state_dir",
    "listen",
    "default_timeout",
    "limits",
    "missed",
    "annotation",
];

fn read_top(reader: &mut Reader<'_>, table: &Spanned<DeTable<'_>>, config: &mut Config) {
    for (key, value) in table.get_ref() {
        let entry = Entry::new("", key, value);
        match key.get_ref().as_ref() {
            "hook_spec" => config.hook_spec = reader.absolute_path(&entry),
            "default_specs" => config.default_specs = read_policy::default_specs(reader, &entry),
            "hooks_dirs" => config.hooks_dirs = reader.directories(&entry),
            "exclude_namespaces" => config.exclude_namespaces = read_policy::namespaces(reader, &entry),
            "failure_policy" => reader.word(&entry, &mut config.failure_policy),
            "delivery" => reader.word(&entry, &mut config.delivery),
            "runtimes" => read_runtimes(reader, &entry, &mut config.runtimes),
            "state_dir" => {
                if let Some(path) = reader.absolute_path(&entry) {
                    config.state_dir = path;
                }
            }
            "listen" => config.listen = reader.listen(&entry),
            "default_timeout" => reader.timeout(&entry, &mut config.default_timeout),
            "limits" => read_limits::read(reader, &entry, &mut config.limits),
            "missed" => read_missed(reader, &entry, &mut config.missed),
            "annotation" => read_annotation(reader, &entry, &mut config.annotation),
            _ => reader.unknown(&entry, &TOP_KEYS),
        }
    }
}

const RUNTIME_KEYS: [&str; 1] = ["delivery"];

fn read_runtimes(reader: &mut Reader<'_>, entry: &Entry<'_>, runtimes: &mut BTreeMap<String, Delivery>) {
    for (name, value) in reader.table(entry).into_iter().flatten() {
        let entry = Entry::new("runtimes.", name, value);
        for (key, value) in reader.table(&entry).into_iter().flatten() {
            let entry = Entry::new(&format!("runtimes.{}.", escaped(name.get_ref())), key, value);
            match key.get_ref().as_ref() {
                "delivery" => {
                    let mut delivery = Delivery::default();
                    reader.word(&entry, &mut delivery);
                    runtimes.insert(name.get_ref().to_string(), delivery);
                }
                _ => reader.unknown(&entry, &RUNTIME_KEYS),
            }
        }
    }
}

const MISSED_KEYS: [&str; 1] = ["action"];

fn read_missed(reader: &mut Reader<'_>, entry: &Entry<'_>, action: &mut MissedAction) {
    for (key, value) in reader.table(entry).into_iter().flatten() {
        let entry = Entry::new("missed.", key, value);
        match key.get_ref().as_ref() {
            "action" => reader.word(&entry, action),
            _ => reader.unknown(&entry, &MISSED_KEYS),
        }
    }
}

const ANNOTATION_KEYS: [&str; 6] = ["key", "spec_dirs", "rules", "max_timeout", "max_hooks", "stages"];

fn read_annotation(reader: &mut Reader<'_>, entry: &Entry<'_>, annotation: &mut Annotation) {
    let Some(table) = reader.table(entry) else { return };
    for (key, value) in table {
        let entry = Entry::new("annotation.", key, value);
        match key.get_ref().as_ref() {
            "key" => {
                if let Some(text) = reader.string(&entry) {
                    match AnnotationKey::new(text) {
                        Some(key) => annotation.key = key,
                        None => reader.bad_annotation_key(&entry, text),
                    }
                }
            }
            "spec_dirs" => annotation.spec_dirs = reader.directories(&entry),
            "rules" => annotation.rules = read_policy::rules(reader, &entry),
            "max_timeout" => {
                let mut longest = Timeout::DEFAULT;
                reader.timeout(&entry, &mut longest);
                annotation.limits.max_timeout = Some(longest);
            }
            "max_hooks" => annotation.limits.max_hooks = reader.count(&entry),
            "stages" => annotation.limits.stages = read_policy::stages(reader, &entry),
            _ => reader.unknown(&entry, &ANNOTATION_KEYS),
        }
    }
}
