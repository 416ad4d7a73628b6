//! The facts of a container in NRI's messages by which its hooks are selected.

use containerd_nri::api::{Container, Mount, PodSandbox};

use crate::config::Config;
use crate::select::Subject;

/// The container as input of the selection.
pub(super) fn subject<'s>(pod: &'s PodSandbox, container: &'s Container, config: &Config) -> Subject<'s> {
    Subject {
        namespace: &pod.namespace,
        annotations: &pod.annotations,
        container_annotations: &container.annotations,
        container: &container.name,
        command: container.args.first().map(String::as_str),
        has_bind_mounts: container.mounts.iter().any(is_bind_mount),
        delivery: config.delivery(&pod.runtime_handler),
    }
}

/// Whether a mount is a bind mount, by its type or by its options (OCI runtime-spec, config.md, "Mounts").
pub(super) fn is_bind_mount(mount: &Mount) -> bool {
    let by_option = |option: &String| option == "bind" || option == "rbind";
    mount.type_ == "bind" || mount.options.iter().any(by_option)
}
