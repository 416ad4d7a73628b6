//! Where what lies.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::doctor::{InstalledRuntime, Node};

/// What to install for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The node.
    pub node: Node,
    /// The runtime; `None` to take the one that is there.
    pub runtime: Option<InstalledRuntime>,
    /// How the daemon is started.
    pub way: Way,
    /// The daemon's configuration, as the node calls it; `None` if it is where it is by default, or
    /// where the unit that is there says.
    pub config: Option<String>,
    /// The directory of the ledger, as the node calls it; `None` if the configuration or the unit says.
    pub state_dir: Option<String>,
}

/// How the daemon is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Way {
    /// By systemd, which also starts it again
    #[default]
    Systemd,
    /// By the runtime, from its directory of plugins
    Launched,
}

/// Where the program is put on a node.
pub const PROGRAM: &str = "/usr/local/bin/nri-oci-hooks";
pub(super) const CONFIG: &str = "/etc/nri-oci-hooks/config.toml";
pub(super) const SPECS: &str = "/etc/nri-oci-hooks/specs";
pub(super) const UNIT: &str = "/etc/systemd/system/nri-oci-hooks.service";
/// What `systemctl edit` makes.
pub(super) const UNIT_DROP_INS: &str = "/etc/systemd/system/nri-oci-hooks.service.d";
pub(super) const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/nri-oci-hooks.service";
/// The directory from which the runtime launches plugins, unless it is told otherwise.
pub(super) const PLUGINS: &str = "/opt/nri/plugins";
pub(super) const PLUGIN: &str = "10-oci-hooks";
/// What the runtime hands to a plugin that it launches, in place of its own configuration.
pub(super) const PLUGIN_CONFIGS: [&str; 2] = [
    "/etc/nri/conf.d/10-oci-hooks.conf",
    "/etc/nri/conf.d/oci-hooks.conf",
];
pub(super) const CONTAINERD: &str = "/etc/containerd/config.toml";
pub(super) const CONTAINERD_DROP_IN: &str = "/etc/containerd/conf.d/nri-oci-hooks.toml";
pub(super) const CRIO_DROP_IN: &str = "/etc/crio/crio.conf.d/50-nri-oci-hooks.conf";

/// Where what is at `place` is kept, if it has to make room: beside it, or in the directory above where the
/// runtime takes every file for one of its own.
pub(super) fn backup_directory(name: &str, place: &Path) -> PathBuf {
    let beside = place.parent().unwrap_or(Path::new("/"));
    let counts = name == CRIO_DROP_IN || name.ends_with(PLUGIN);
    let above = beside.parent().filter(|_| counts);
    above.unwrap_or(beside).to_owned()
}
