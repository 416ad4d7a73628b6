//! CRI-O: `/etc/crio/crio.conf` and the files of `crio.conf.d`, later ones over earlier ones.

use toml::{Table, Value};

use super::settings::{Kind, Settings, is_there, table};
use crate::doctor::Finding;
use crate::doctor::node::{Node, Version};

const MAIN: &str = "/etc/crio/crio.conf";
const DROP_INS: &str = "/etc/crio/crio.conf.d";

/// The folder of hooks.d that CRI-O reads unless it is told otherwise.
const OWN_HOOKS: &str = "/usr/share/containers/oci/hooks.d";

/// How CRI-O is configured; `None` if the node has none.
pub(super) fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Settings> {
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
    // On since 1.30.
    settings.is_enabled = version.is_none_or(|version| version >= Version(1, 30, 0));
    settings.own_hooks_dirs = vec![OWN_HOOKS.to_owned()];
    let main = node.path(MAIN);
    let main = main.exists().then_some(main);
    for file in main.into_iter().chain(node.files(DROP_INS, ".conf")) {
        if let Some(table) = table(node, &file, findings) {
            take(&mut settings, &table);
        }
    }
    Some(settings)
}

fn take(settings: &mut Settings, file: &Table) {
    let crio = |table: &str| file.get("crio").and_then(|crio| crio.get(table)?.as_table());
    if let Some(nri) = crio("nri") {
        let is = |key: &str| nri.get(key).and_then(Value::as_bool);
        let text = |key: &str| nri.get(key).and_then(Value::as_str);
        let time = |key: &str| humantime::parse_duration(text(key)?).ok();
        let set = |place: &mut String, key: &str| {
            if let Some(text) = text(key) {
                text.clone_into(place);
            }
        };
        settings.is_enabled = is("enable_nri").unwrap_or(settings.is_enabled);
        settings.takes_connections =
            is("nri_disable_connections").map_or(settings.takes_connections, |off| !off);
        set(&mut settings.socket, "nri_listen");
        set(&mut settings.plugins, "nri_plugin_dir");
        set(&mut settings.plugin_configs, "nri_plugin_config_dir");
        settings.request_timeout = time("nri_plugin_request_timeout").unwrap_or(settings.request_timeout);
        let registration = time("nri_plugin_registration_timeout");
        settings.registration_timeout = registration.unwrap_or(settings.registration_timeout);
        if let Some(validator) = nri.get("default_validator").and_then(Value::as_table) {
            take_validator(settings, validator);
        }
    }
    if let Some(folders) = crio("runtime").and_then(|runtime| runtime.get("hooks_dir")?.as_array()) {
        settings.own_hooks_dirs = strings(folders);
    }
}

fn take_validator(settings: &mut Settings, validator: &Table) {
    let is = |key: &str| validator.get(key).and_then(Value::as_bool);
    if is("nri_enable_default_validator") != Some(true) {
        return;
    }
    settings.rejects_hooks = is("nri_validator_reject_oci_hook_adjustment").unwrap_or_default();
    if let Some(required) = validator
        .get("nri_validator_required_plugins")
        .and_then(Value::as_array)
    {
        settings.required_plugins = strings(required);
    }
}

fn strings(list: &[Value]) -> Vec<String> {
    list.iter()
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}
