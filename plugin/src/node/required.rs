//! The drop-ins with which a runtime creates no container without a plugin.

use std::path::PathBuf;

use super::Node;
use super::Version;
use super::{Kind, find};

const CONTAINERD: &str = include_str!("../../../deploy/containerd/containerd-2.2-required.toml");
const CRIO: &str = include_str!("../../../deploy/crio/crio-1.34-required.conf");

/// A drop-in that requires the plugin `oci-hooks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequiredDropIn {
    pub(crate) path: PathBuf,
    pub(crate) text: &'static str,
    /// Whether the runtimes of the node support required plugins. An older one may refuse the file, and does
    /// not start.
    pub(crate) is_possible: bool,
}

/// The drop-ins of both runtimes for `node`.
pub(crate) fn required_drop_ins(node: &Node) -> [RequiredDropIn; 2] {
    let (runtimes, _) = find(node);
    let drop_in = |kind: Kind, since: Version, path: &str, text: &'static str| RequiredDropIn {
        path: node.path(path),
        text,
        is_possible: runtimes
            .iter()
            .any(|runtime| runtime.kind == kind && runtime.version >= Some(since)),
    };
    let containerd = "/etc/containerd/conf.d/nri-oci-hooks-required.toml";
    let crio = "/etc/crio/crio.conf.d/51-nri-oci-hooks-required.conf";
    [
        drop_in(Kind::Containerd, Version(2, 2, 0), containerd, CONTAINERD),
        drop_in(Kind::Crio, Version(1, 34, 0), crio, CRIO),
    ]
}
