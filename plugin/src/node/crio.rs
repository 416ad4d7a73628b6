//! CRI-O: `/etc/crio/crio.conf` and every file of `crio.conf.d`, later ones over earlier ones.

use std::path::{Path, PathBuf};

use super::Finding;
use super::settings::{Kind, Settings, Values, files, is_there, table};
use super::{Node, Version};

const MAIN: &str = "/etc/crio/crio.conf";
const DROP_INS: &str = "/etc/crio/crio.conf.d";

/// The directory of hooks.d that CRI-O reads by default.
const OWN_HOOKS: &str = "/usr/share/containers/oci/hooks.d";

/// The settings of CRI-O; `None` if the node has none.
pub(crate) fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Settings> {
    let signs = [
        MAIN,
        DROP_INS,
        "/usr/bin/crio",
        "/usr/local/bin/crio",
        "/run/crio/crio.sock",
    ];
    if !is_there(node, &signs) {
        return None;
    }
    let version = node.version("crio");
    let mut settings = Settings::default_of(Kind::Crio, version);
    // NRI is on by default since 1.30.
    settings.is_enabled = version.is_none_or(|version| version >= Version(1, 30, 0));
    settings.own_hooks_dirs = vec![OWN_HOOKS.to_owned()];
    let main = is_there(node, &[MAIN]).then(|| Path::new(MAIN).to_owned());
    // The ending of their names does not matter.
    let drop_ins: Vec<PathBuf> = files(node, DROP_INS, findings)
        .into_iter()
        .filter(|file| !node.path(file).is_dir())
        .collect();
    for file in main.into_iter().chain(drop_ins) {
        if let Some(table) = table(node, &file, findings) {
            take(&mut settings, Values(&table));
        }
        settings.files.push(file);
    }
    Some(settings)
}

fn take(settings: &mut Settings, file: Values<'_>) {
    let Some(crio) = file.table("crio") else { return };
    if let Some(nri) = crio.table("nri") {
        settings.is_enabled = nri.is("enable_nri").unwrap_or(settings.is_enabled);
        let connects = nri.is("nri_disable_connections").map(|off| !off);
        settings.takes_connections = connects.unwrap_or(settings.takes_connections);
        nri.set(&mut settings.socket, "nri_listen");
        nri.set(&mut settings.plugins, "nri_plugin_dir");
        nri.set(&mut settings.plugin_configs, "nri_plugin_config_dir");
        nri.set_time(&mut settings.request_timeout, "nri_plugin_request_timeout");
        nri.set_time(
            &mut settings.registration_timeout,
            "nri_plugin_registration_timeout",
        );
        if let Some(validator) = nri.table("default_validator") {
            read_validator(settings, validator);
        }
    }
    let own = crio
        .table("runtime")
        .and_then(|runtime| runtime.strings("hooks_dir"));
    if let Some(directories) = own {
        settings.own_hooks_dirs = directories;
    }
}

fn read_validator(settings: &mut Settings, validator: Values<'_>) {
    if validator.is("nri_enable_default_validator") != Some(true) {
        return;
    }
    let rejects = validator.is("nri_validator_reject_oci_hook_adjustment");
    settings.rejects_hooks = rejects.unwrap_or_default();
    if let Some(required) = validator.strings("nri_validator_required_plugins") {
        settings.required_plugins = required;
    }
}
