//! The annotations that the runtime adds to a container, as far as they follow from a manifest.

use std::collections::HashMap;
use std::path::Path;

use crate::manifest::ManifestPod;
use crate::select::Unknown;

/// The path of CRI-O's socket.
const CRIO_SOCKET: &str = "/run/crio/crio.sock";

/// The runtimes whose annotations are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    Containerd,
    Crio,
}

impl Runtime {
    /// The runtime of this node; containerd if there is none.
    pub(super) fn of_node() -> Runtime {
        match Path::new(CRIO_SOCKET).exists() {
            true => Runtime::Crio,
            false => Runtime::Containerd,
        }
    }

    /// The keys of added annotations whose values only the runtime, the cluster or the image knows.
    fn unknown(self) -> &'static [&'static str] {
        match self {
            Runtime::Containerd => &[
                "io.kubernetes.cri.sandbox-id",
                "io.kubernetes.cri.sandbox-uid",
                "io.kubernetes.cri.sandbox-name",
                "io.kubernetes.cri.image-name",
            ],
            Runtime::Crio => &[
                "io.kubernetes.pod.uid",
                "io.kubernetes.pod.name",
                "io.kubernetes.container.hash",
                "io.kubernetes.container.restartCount",
                "io.kubernetes.cri-o.ContainerID",
                "io.kubernetes.cri-o.SandboxID",
                "io.kubernetes.cri-o.SandboxName",
                "io.kubernetes.cri-o.Name",
                "io.kubernetes.cri-o.Image",
                "io.kubernetes.cri-o.ImageName",
            ],
        }
    }

    /// The annotations that it adds to `container` of `pod` in `namespace`.
    pub(super) fn adds(self, pod: &ManifestPod, namespace: &str, container: &str) -> HashMap<String, String> {
        let pod_name = pod.object.strip_prefix("Pod/");
        let known = match self {
            Runtime::Containerd => [
                ("io.kubernetes.cri.container-type", Some("container")),
                ("io.kubernetes.cri.container-name", Some(container)),
                ("io.kubernetes.cri.sandbox-namespace", Some(namespace)),
                ("io.kubernetes.cri.sandbox-name", pod_name),
            ],
            Runtime::Crio => [
                ("io.kubernetes.cri-o.ContainerType", Some("container")),
                ("io.kubernetes.container.name", Some(container)),
                ("io.kubernetes.pod.namespace", Some(namespace)),
                ("io.kubernetes.pod.name", pod_name),
            ],
        };
        let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
        known
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// The properties of a container that only the runtime knows; `known` are its known annotations.
    pub(super) fn unknown_of(self, known: &HashMap<String, String>, has_command: bool) -> Unknown {
        let unknown = self.unknown().iter().filter(|key| !known.contains_key(**key));
        Unknown {
            command: !has_command,
            annotations: unknown.copied().collect(),
        }
    }
}
