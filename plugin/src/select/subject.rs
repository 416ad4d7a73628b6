//! The container that hooks are selected for.

use std::collections::HashMap;

use crate::config::Delivery;

/// The container of the selection.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The pod's namespace.
    pub namespace: &'s str,
    /// The live pod's annotations, which alone can select hook-specs.
    pub annotations: &'s HashMap<String, String>,
    /// The container's own annotations, which the runtime, device plugins and its image may have set. They
    /// count only for the conditions of hooks.d files, and the pod's take precedence.
    pub container_annotations: &'s HashMap<String, String>,
    /// The container's name in the pod.
    pub container: &'s str,
    /// The first word of its command line, which its image may have set. It counts only for the conditions of
    /// hooks.d files.
    pub command: Option<&'s str>,
    /// Whether a path of the host is mounted into it; as above.
    pub has_bind_mounts: bool,
    /// The delivery of its runtime handler.
    pub delivery: Delivery,
}
