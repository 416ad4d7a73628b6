//! Checks the directory from which the runtime launches plugins, and other plugins that inject hooks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::examine::Examined;
use crate::model::{bounded_list, escaped, escaped_path};
use crate::node::{Finding, Kind, Node, Settings};
use crate::process::processes;
use crate::trust::TrustedFile;

/// The name of the known other plugin that injects hooks.
const OTHER: &str = "hook-injector";

/// Checks the plugins.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    for settings in &examined.runtimes {
        check_directory(examined, settings, findings);
        check_twice(examined, settings, findings);
    }
    if examined.node.is_this_node() {
        findings.extend(other_process());
    }
}

/// The plugins that the runtime launches, by their paths on the node: executables in its directory.
pub(super) fn launched(node: &Node, directory: &str) -> Vec<PathBuf> {
    let is_executable = |name: &PathBuf| {
        let file = node.path(name).metadata();
        file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    node.files(directory).into_iter().filter(is_executable).collect()
}

/// The name of a plugin's file without its index; `None` if it is not `NN-NAME`.
pub(super) fn plugin_name(file: &Path) -> Option<&str> {
    let (index, name) = file.file_name()?.to_str()?.split_once('-')?;
    let is_index = index.len() == 2 && index.bytes().all(|digit| digit.is_ascii_digit());
    (is_index && !name.is_empty()).then_some(name)
}

fn check_directory(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let files = launched(examined.node, &settings.plugins);
    for file in &files {
        let name = escaped_path(file);
        match plugin_name(file) {
            None => {
                let what =
                    format!("{name} is executable, but its name is not NN-NAME: the runtime cannot start");
                findings.push(Finding::problem(
                    "plugin-name",
                    what,
                    format!("run: rm {name}, or rename it to NN-NAME"),
                ));
            }
            Some(OTHER) => findings.push(doubling(&format!("the runtime launches {name}"))),
            Some(_) => {}
        }
        if let Err(error) = TrustedFile::to_execute(&examined.node.path(file)) {
            let what = format!("the runtime launches {name} as root: {error}");
            findings.push(Finding::problem("plugin-trust", what, error.help()));
        }
    }
    let ours: Vec<String> = files
        .iter()
        .filter(|file| examined.is_ours(file))
        .map(|file| escaped_path(file))
        .collect();
    let unit = "/etc/systemd/system/multi-user.target.wants/nri-oci-hooks.service";
    let has_unit = examined.node.place(unit).symlink_metadata().is_ok();
    if ours.len() + usize::from(has_unit) > 1 {
        let with_unit = if has_unit { " and by systemd" } else { "" };
        let what = format!(
            "the daemon is started more than once: by the runtime as {}{with_unit}",
            bounded_list(&ours)
        );
        findings.push(Finding::warning(
            "twice",
            what,
            "keep one: run systemctl disable --now nri-oci-hooks, or remove the plugin's file",
        ));
    }
}

/// Checks for a directory of hooks.d that both CRI-O and the daemon read.
fn check_twice(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.kind != Kind::Crio {
        return;
    }
    let plain = |directory: &str| directory.trim_end_matches('/').to_owned();
    let own: Vec<String> = settings
        .own_hooks_dirs
        .iter()
        .map(|directory| plain(directory))
        .collect();
    for directory in examined
        .config
        .hooks_dirs
        .iter()
        .filter(|directory| own.contains(&plain(directory)))
    {
        let what = format!("CRI-O also reads {}: its hooks run twice", escaped(directory));
        findings.push(Finding::problem(
            "doubled-hooks",
            what,
            "remove it from hooks_dirs, or from CRI-O's hooks_dir",
        ));
    }
}

fn doubling(what: &str) -> Finding {
    let what = format!("{what}: hooks that both inject run twice");
    Finding::warning(
        "other-injector",
        what,
        "remove it, or keep each hook in the files of only one of them",
    )
}

/// The finding that the other plugin that injects hooks is running.
pub(super) fn other_process() -> Option<Finding> {
    is_running(OTHER).then(|| doubling(&format!("a process called {OTHER} runs on this node")))
}

fn is_running(name: &str) -> bool {
    let command = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    processes()
        .filter_map(command)
        .any(|command| command.trim_end() == name)
}
