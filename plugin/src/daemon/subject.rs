//! What of a container, as NRI tells it, its hooks are chosen by.

use containerd_nri::api::{Container, Mount, PodSandbox};

use crate::config::Config;
use crate::select::Subject;

/// The container to choose hooks for.
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

/// As the OCI runtime-spec has it (config.md, "Mounts"): by its type or by its options.
pub(super) fn is_bind_mount(mount: &Mount) -> bool {
    let by_option = |option: &String| option == "bind" || option == "rbind";
    mount.type_ == "bind" || mount.options.iter().any(by_option)
}
