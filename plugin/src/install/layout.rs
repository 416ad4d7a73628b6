//! Where what lies.

use std::path::PathBuf;

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
}

/// How the daemon is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Way {
    /// By systemd, which also starts it again
    #[default]
    Systemd,
    /// By the runtime, from its folder of plugins
    Launched,
}

/// Where the program is put on a node.
pub const PROGRAM: &str = "/usr/local/bin/nri-oci-hooks";
pub(super) const CONFIG: &str = "/etc/nri-oci-hooks/config.toml";
pub(super) const SPECS: &str = "/etc/nri-oci-hooks/specs";
pub(super) const UNIT: &str = "/etc/systemd/system/nri-oci-hooks.service";
pub(super) const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/nri-oci-hooks.service";
pub(super) const PLUGIN: &str = "/opt/nri/plugins/10-oci-hooks";
pub(super) const CONTAINERD: &str = "/etc/containerd/config.toml";
pub(super) const CONTAINERD_DROP_IN: &str = "/etc/containerd/conf.d/nri-oci-hooks.toml";
pub(super) const CRIO_DROP_IN: &str = "/etc/crio/crio.conf.d/50-nri-oci-hooks.conf";

impl Target {
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.node.path(path)
    }
}
