//! containerd: `/etc/containerd/config.toml` and its imports.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Finding;
use super::settings::{Kind, Settings, Values, files, is_there, table};
use super::{Node, Version};
use crate::model::{bounded_list, escaped_path};

const MAIN: &str = "/etc/containerd/config.toml";
const DROP_INS: &str = "/etc/containerd/conf.d";
/// The NRI table.
pub(crate) const NRI: &str = "io.containerd.nri.v1.nri";

/// The settings of containerd; `None` if the node has none.
pub(crate) fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Settings> {
    let signs = [
        MAIN,
        "/usr/bin/containerd",
        "/usr/local/bin/containerd",
        "/run/containerd/containerd.sock",
    ];
    if !is_there(node, &signs) {
        return None;
    }
    let main = is_there(node, &[MAIN])
        .then(|| table(node, Path::new(MAIN), findings))
        .flatten();
    // A file without a format has the first one; an empty file counts as any format.
    let format = main.as_ref().filter(|main| !main.is_empty());
    let format = format.map(|main| main.get("version").and_then(Value::as_integer).unwrap_or(1));
    // If the program does not report a version, the format of the configuration decides: 3 was added in
    // containerd 2.
    let version = node.version("containerd");
    let is_1 = version.map_or(format == Some(2) || format == Some(1), |version| {
        version < Version(2, 0, 0)
    });

    let mut settings = Settings::default_of(Kind::Containerd, version);
    settings.is_containerd_1 = is_1;
    settings.is_version_known = version.is_some() || format.is_some();
    settings.is_enabled = !is_1;
    let mut nri = Table::new();
    let mut imported = Vec::new();
    if let Some(main) = &main {
        merge(&mut nri, main, is_1);
        for file in imports(node, main, findings) {
            if let Some(drop_in) = table(node, &file, findings) {
                merge(&mut nri, &drop_in, is_1);
            }
            imported.push(file);
        }
        report_unread(node, main, format, &imported, findings);
        settings.files = [MAIN.into()].into_iter().chain(imported).collect();
    }
    take(&mut settings, Values(&nri));
    Some(settings)
}

/// Adds the NRI table of one file: containerd 1.7 replaces the whole table, 2 adds key by key.
fn merge(nri: &mut Table, file: &Table, replaces: bool) {
    let Some(table) = file
        .get("plugins")
        .and_then(|plugins| plugins.get(NRI)?.as_table())
    else {
        return;
    };
    if replaces {
        *nri = table.clone();
        return;
    }
    for (key, value) in table {
        match (nri.get_mut(key), value) {
            (Some(Value::Table(known)), Value::Table(more)) => known.extend(more.clone()),
            _ => {
                nri.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The files that a main file imports, as the node calls them, in order.
pub(crate) fn containerd_imports(node: &Node, main: &Table) -> Vec<PathBuf> {
    imports(node, main, &mut Vec::new())
}

/// The files that the main file imports, by their paths on the node, in order. The names in `imports` may
/// have a `*`.
fn imports(node: &Node, main: &Table, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let list = main
        .get("imports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let patterns = list.filter_map(Value::as_str);
    let mut of_pattern = |pattern: &str| {
        let pattern = Path::new("/etc/containerd").join(pattern);
        let (directory, name) = (
            pattern.parent()?.to_str()?.to_owned(),
            pattern.file_name()?.to_str()?.to_owned(),
        );
        Some(match name.split_once('*') {
            None => vec![pattern],
            Some((before, behind)) => {
                let matches = |path: &PathBuf| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    name.strip_prefix(before)
                        .is_some_and(|rest| rest.ends_with(behind))
                };
                let files = files(node, &directory, findings).into_iter();
                files.filter(matches).collect()
            }
        })
    };
    patterns.filter_map(&mut of_pattern).flatten().collect()
}

/// Adds a finding about drop-ins that no file imports.
fn report_unread(
    node: &Node,
    main: &Table,
    format: Option<i64>,
    imported: &[PathBuf],
    findings: &mut Vec<Finding>,
) {
    let imported: Vec<PathBuf> = imported.iter().map(|file| node.real(file)).collect();
    let unread: Vec<String> = node
        .files(DROP_INS)
        .iter()
        .filter(|file| file.to_string_lossy().ends_with(".toml") && !imported.contains(&node.real(file)))
        .map(|file| escaped_path(file))
        .collect();
    if unread.is_empty() {
        return;
    }
    let files = bounded_list(&unread);
    let remedy =
        format!("write imports = [\"{DROP_INS}/*.toml\"] at the top of {MAIN}, then restart containerd");
    let why = if format.is_none_or(|format| format < 2) && main.contains_key("imports") {
        "its format is version 1, which has no imports"
    } else {
        "it does not import them"
    };
    findings.push(Finding::problem(
        "drop-in-unread",
        format!("{MAIN} does not read {files}: {why}"),
        remedy,
    ));
}

fn take(settings: &mut Settings, nri: Values<'_>) {
    settings.is_enabled = nri.is("disable").map_or(settings.is_enabled, |disable| !disable);
    settings.takes_connections = !nri.is("disable_connections").unwrap_or_default();
    nri.set(&mut settings.socket, "socket_path");
    nri.set(&mut settings.plugins, "plugin_path");
    nri.set(&mut settings.plugin_configs, "plugin_config_path");
    nri.set_time(&mut settings.request_timeout, "plugin_request_timeout");
    nri.set_time(&mut settings.registration_timeout, "plugin_registration_timeout");
    let validator = nri.table("default_validator");
    let Some(validator) = validator.filter(|validator| validator.is("enable") == Some(true)) else {
        return;
    };
    settings.rejects_hooks = validator.is("reject_oci_hook_adjustment").unwrap_or_default();
    settings.required_plugins = validator.strings("required_plugins").unwrap_or_default();
}
