//! Checks the unit, and other installations beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::examine::Examined;
use crate::model::escaped_path;
use crate::node::{Finding, Node};

const UNIT: &str = "nri-oci-hooks.service";

/// The directories in which systemd looks for units, in order of precedence (systemd.unit(5)).
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The program's path from the package, and from a pod or `install` of 0.1.0.
const PROGRAMS: [&str; 2] = ["/usr/bin/nri-oci-hooks", "/usr/local/bin/nri-oci-hooks"];

/// Checks units and programs.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    let node = examined.node;
    let units = distinct(node, &DIRECTORIES.map(|directory| format!("{directory}/{UNIT}")));
    if let Some(unit) = units.first() {
        if node.real(unit) == Path::new("/dev/null") || node.real(unit) == node.path("/dev/null") {
            findings.push(disabled(format!("{} is masked", escaped_path(unit)), "unmask"));
        } else if !is_enabled(node) && !examined.is_in_pod() && !is_launched(examined) {
            findings.push(disabled(
                format!("{} is not enabled", escaped_path(unit)),
                "enable --now",
            ));
        }
    }
    if let [wins, hidden, ..] = units.as_slice() {
        let (wins, hidden) = (escaped_path(wins), escaped_path(hidden));
        findings.push(Finding::warning(
            "unit-shadowed",
            format!("{wins} hides {hidden}, the unit of the package"),
            format!(
                "to use the package's: rm {wins}; systemctl daemon-reload; systemctl enable --now {UNIT}"
            ),
        ));
    }
    let programs = distinct(node, &PROGRAMS.map(str::to_owned));
    if let [package, other] = programs.as_slice() {
        let (package, other) = (escaped_path(package), escaped_path(other));
        findings.push(Finding::warning(
            "second-installation",
            format!("the program is installed twice: {package} by a package, and {other} by a pod or 0.1.0"),
            format!(
                "keep the package or the DaemonSet; without the DaemonSet, run: rm {other}, once the containers that it \
                 made are gone"
            ),
        ));
    }
}

fn disabled(what: String, verb: &str) -> Finding {
    let what = format!("{what}: the daemon does not start with the node");
    Finding::warning("unit", what, format!("run: systemctl {verb} {UNIT}"))
}

fn is_launched(examined: &Examined<'_>) -> bool {
    examined
        .runtimes
        .iter()
        .any(|settings| examined.is_launched(settings))
}

/// Whether any target starts the unit.
fn is_enabled(node: &Node) -> bool {
    let wanting = DIRECTORIES.iter().flat_map(|directory| node.files(directory));
    let wanting = wanting.filter(|name| {
        let extension = name.extension().unwrap_or_default();
        extension == "wants" || extension == "requires"
    });
    let mut links = wanting.map(|directory| node.place(directory.join(UNIT)));
    links.any(|link| link.symlink_metadata().is_ok())
}

/// The existing files, each once: `/lib` may be `/usr/lib`.
fn distinct(node: &Node, names: &[String]) -> Vec<PathBuf> {
    let mut found: Vec<((u64, u64), PathBuf)> = Vec::new();
    for name in names {
        if let Ok(file) = fs::metadata(node.path(name)) {
            let identity = (file.dev(), file.ino());
            if found.iter().all(|(known, _)| *known != identity) {
                found.push((identity, name.into()));
            }
        }
    }
    found.into_iter().map(|(_, name)| name).collect()
}
