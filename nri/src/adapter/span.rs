//! The fields of log lines.

use tracing::Span;

use crate::api::{Container, PodSandbox};

/// The fields of every log line that is written while this pod's or container's event is handled.
pub(super) fn about(pod: &PodSandbox, container: &Container) -> Span {
    let (namespace, pod) = (beginning(&pod.namespace), beginning(&pod.name));
    if container.id.is_empty() {
        return tracing::error_span!("pod", namespace, pod);
    }
    let (container, id) = (beginning(&container.name), beginning(&container.id));
    tracing::error_span!("container", namespace, pod, container, id)
}

/// The beginning of a name, up to the maximum length in Kubernetes: a longer name must not fill every log
/// line.
fn beginning(name: &str) -> &str {
    let mut end = name.len().min(253);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
