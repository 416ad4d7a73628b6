//! The relevant settings of any runtime.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use toml::{Table, Value};

use super::Finding;
use super::{Node, Version};
use super::{containerd, crio};
use crate::model::{escaped_path, prose};

/// A runtime, in the kinds that differ in their configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstalledRuntime {
    /// containerd 1.7
    #[value(name = "containerd-1.7")]
    Containerd17,
    /// containerd 2
    #[value(name = "containerd-2")]
    Containerd2,
    /// CRI-O
    #[value(name = "crio")]
    Crio,
}

/// The kinds of runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Containerd,
    Crio,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Containerd => "containerd",
            Kind::Crio => "CRI-O",
        }
    }
}

/// The NRI settings of a runtime, by its files.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    pub(crate) version: Option<Version>,
    /// Whether it is containerd before 2.
    pub(crate) is_containerd_1: bool,
    /// Whether the node shows the version; otherwise it is assumed to be the newest.
    pub(crate) is_version_known: bool,
    pub(crate) is_enabled: bool,
    pub(crate) takes_connections: bool,
    pub(crate) socket: String,
    pub(crate) plugins: String,
    pub(crate) plugin_configs: String,
    pub(crate) request_timeout: Duration,
    pub(crate) registration_timeout: Duration,
    pub(crate) rejects_hooks: bool,
    pub(crate) required_plugins: Vec<String>,
    /// Its files, by their paths on the node, the main one first.
    pub(crate) files: Vec<PathBuf>,
    /// The directories of hooks.d that the runtime reads itself.
    pub(crate) own_hooks_dirs: Vec<String>,
}

impl Settings {
    /// The settings of a runtime without a configuration.
    pub(crate) fn default_of(kind: Kind, version: Option<Version>) -> Settings {
        Settings {
            kind,
            version,
            is_containerd_1: false,
            is_version_known: true,
            is_enabled: true,
            takes_connections: true,
            socket: "/var/run/nri/nri.sock".into(),
            plugins: "/opt/nri/plugins".into(),
            plugin_configs: "/etc/nri/conf.d".into(),
            request_timeout: Duration::from_secs(2),
            registration_timeout: Duration::from_secs(5),
            rejects_hooks: false,
            required_plugins: Vec::new(),
            files: Vec::new(),
            own_hooks_dirs: Vec::new(),
        }
    }

    /// The runtime's name, and its version if that is known.
    pub(crate) fn label(&self) -> String {
        match self.version {
            Some(version) => format!("{} {version}", self.kind.name()),
            None => self.kind.name().to_owned(),
        }
    }
}

/// The runtimes of a node, and the faults of their files.
pub(crate) fn find(node: &Node) -> (Vec<Settings>, Vec<Finding>) {
    let mut findings = Vec::new();
    let containerd = containerd::read(node, &mut findings);
    let crio = crio::read(node, &mut findings);
    (containerd.into_iter().chain(crio).collect(), findings)
}

/// The reason why the runtime of a node is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownRuntime {
    /// The node has no runtime.
    NoRuntime,
    /// The node has a containerd of unknown version.
    WhichContainerd,
}

/// The runtime of a node, by its programs and files; containerd if there are several.
///
/// # Errors
/// The node does not show it.
pub(crate) fn installed_runtime(node: &Node) -> Result<InstalledRuntime, UnknownRuntime> {
    let (found, _) = find(node);
    let first = found.first().ok_or(UnknownRuntime::NoRuntime)?;
    Ok(match first.kind {
        Kind::Containerd if !first.is_version_known => return Err(UnknownRuntime::WhichContainerd),
        Kind::Containerd if first.is_containerd_1 => InstalledRuntime::Containerd17,
        Kind::Containerd => InstalledRuntime::Containerd2,
        Kind::Crio => InstalledRuntime::Crio,
    })
}

/// Whether any of `paths` exists. A path whose existence is unknown is assumed to exist.
pub(crate) fn is_there(node: &Node, paths: &[&str]) -> bool {
    paths
        .iter()
        .any(|path| node.path(path).try_exists().unwrap_or(true))
}

/// The TOML of the node's file `name`; an error in it becomes a finding.
pub(crate) fn table(node: &Node, name: &Path, findings: &mut Vec<Finding>) -> Option<toml::Table> {
    let text = match std::fs::read_to_string(node.path(name)) {
        Ok(text) => text,
        Err(error) => {
            findings.push(unreadable(name, &error));
            return None;
        }
    };
    let table = text.parse::<toml::Table>();
    table
        .map_err(|error| {
            let what = format!(
                "{} cannot be read: {}",
                escaped_path(name),
                prose(error.message())
            );
            let remedy = "fix it: the runtime cannot start with it";
            findings.push(Finding::problem("runtime-config", what, remedy));
        })
        .ok()
}

/// The files of a directory that the runtime reads; if it cannot be listed, that becomes a finding.
pub(crate) fn files(node: &Node, directory: &str, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(node.path(directory));
    if let Some(error) = listed.err().filter(|error| error.kind() != ErrorKind::NotFound) {
        findings.push(unreadable(Path::new(directory), &error));
    }
    node.files(directory)
}

/// The finding for a file that the runtime reads as root, and this user cannot read. No fault is known then.
pub(crate) fn unreadable(name: &Path, error: &Error) -> Finding {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => "run this as root",
        _ => "fix it: the runtime cannot start with it",
    };
    let what = format!("{} cannot be read: {error}", escaped_path(name));
    Finding::problem("runtime-config", what, remedy)
}

/// The values of a table.
#[derive(Clone, Copy)]
pub(crate) struct Values<'t>(pub(crate) &'t Table);

impl<'t> Values<'t> {
    pub(crate) fn is(self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    pub(crate) fn strings(self, key: &str) -> Option<Vec<String>> {
        let list = self.0.get(key)?.as_array()?.iter();
        Some(list.filter_map(|text| Some(text.as_str()?.to_owned())).collect())
    }

    pub(crate) fn table(self, key: &str) -> Option<Values<'t>> {
        self.0.get(key)?.as_table().map(Values)
    }

    /// Writes the string of `key` to `place`, if there is one.
    pub(crate) fn set(self, place: &mut String, key: &str) {
        if let Some(text) = self.0.get(key).and_then(Value::as_str) {
            text.clone_into(place);
        }
    }

    /// Writes the time of `key` to `place`, if there is one.
    pub(crate) fn set_time(self, place: &mut Duration, key: &str) {
        let text = self.0.get(key).and_then(Value::as_str);
        if let Some(time) = text.and_then(|text| humantime::parse_duration(text).ok()) {
            *place = time;
        }
    }
}
