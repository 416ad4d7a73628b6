//! Pods and containers as a kubelet and containerd make them, ready to be changed by a test.

use std::collections::HashMap;

use containerd_nri::api::{
    Container, ContainerState, LinuxContainer, LinuxNamespace, LinuxPodSandbox, Mount, OptionalInt,
    PodSandbox,
};

/// Builds a pod.
#[derive(Clone, Debug)]
pub struct PodBuilder {
    pod: PodSandbox,
}

impl PodBuilder {
    /// A pod of this name in the namespace `default`.
    pub fn new(name: &str) -> Self {
        let uid = identifier(name, 32);
        let labels = [
            ("app", name),
            ("io.kubernetes.pod.name", name),
            ("io.kubernetes.pod.uid", &uid),
        ];
        let pod = PodSandbox {
            id: identifier(&format!("pod {name}"), 64),
            name: name.to_owned(),
            uid: uid.clone(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            annotations: HashMap::from([("kubernetes.io/config.source".to_owned(), "api".to_owned())]),
            linux: Some(LinuxPodSandbox {
                cgroup_parent: format!("/kubepods/burstable/pod{uid}"),
                namespaces: namespaces(),
                ..Default::default()
            })
            .into(),
            pid: 4_242,
            ..Default::default()
        };
        Self { pod }.namespace("default")
    }

    /// Puts the pod into a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.pod
            .labels
            .insert("io.kubernetes.pod.namespace".to_owned(), namespace.to_owned());
        namespace.clone_into(&mut self.pod.namespace);
        self
    }

    /// Adds an annotation.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.pod.annotations.insert(key.into(), value.into());
        self
    }

    /// The pod.
    pub fn build(self) -> PodSandbox {
        self.pod
    }
}

/// Builds a container.
#[derive(Clone, Debug)]
pub struct ContainerBuilder {
    container: Container,
}

impl ContainerBuilder {
    /// A container of this name in a pod, in the state in which CreateContainer shows it.
    pub fn new(pod: &PodSandbox, name: &str) -> Self {
        let id = identifier(&format!("container {} {name}", pod.id), 64);
        let labels = [
            ("io.kubernetes.container.name", name),
            ("io.kubernetes.pod.name", &pod.name),
            ("io.kubernetes.pod.namespace", &pod.namespace),
            ("io.kubernetes.pod.uid", &pod.uid),
        ];
        let annotations = [
            ("io.kubernetes.cri.container-name", name),
            ("io.kubernetes.cri.container-type", "container"),
            ("io.kubernetes.cri.sandbox-id", &pod.id),
        ];
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let container = Container {
            pod_sandbox_id: pod.id.clone(),
            name: name.to_owned(),
            labels: labels.map(owned).into(),
            annotations: annotations.map(owned).into(),
            args: vec![
                "/bin/sh".to_owned(),
                "-c".to_owned(),
                "exec sleep infinity".to_owned(),
            ],
            env: vec![
                "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
                format!("HOSTNAME={}", pod.name),
            ],
            linux: Some(LinuxContainer {
                namespaces: namespaces(),
                oom_score_adj: Some(OptionalInt {
                    value: 1000,
                    ..Default::default()
                })
                .into(),
                cgroups_path: format!("{}/{id}", pod.linux.cgroup_parent),
                ..Default::default()
            })
            .into(),
            mounts: vec![
                mount("/proc", "proc", "proc"),
                mount("/etc/hosts", "bind", "/var/lib/kubelet/hosts"),
            ],
            id,
            ..Default::default()
        };
        Self { container }
    }

    /// Gives the container a state, and a process if that state has one.
    #[must_use]
    pub fn state(mut self, state: ContainerState) -> Self {
        self.container.state = state.into();
        self.container.pid = match state {
            ContainerState::CONTAINER_UNKNOWN | ContainerState::CONTAINER_STOPPED => 0,
            _ => 4_343,
        };
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.container.env.push(format!("{name}={value}"));
        self
    }

    /// Adds a mount.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.container.mounts.push(mount);
        self
    }

    /// The container.
    pub fn build(self) -> Container {
        self.container
    }
}

fn mount(destination: &str, kind: &str, source: &str) -> Mount {
    Mount {
        destination: destination.to_owned(),
        type_: kind.to_owned(),
        source: source.to_owned(),
        options: ["rbind", "rprivate", "rw"].map(str::to_owned).into(),
        ..Default::default()
    }
}

/// The namespaces of an ordinary container.
fn namespaces() -> Vec<LinuxNamespace> {
    ["pid", "ipc", "uts", "mount", "network"]
        .map(|kind| LinuxNamespace {
            type_: kind.to_owned(),
            ..Default::default()
        })
        .into()
}

/// A stable identifier of `length` hexadecimal digits, different for every seed (FNV-1a, repeated).
fn identifier(seed: &str, length: usize) -> String {
    let mut text = String::new();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while text.len() < length {
        for byte in seed.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        text.push_str(&format!("{hash:016x}"));
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_length_and_differ() {
        let (one, two) = (PodBuilder::new("one").build(), PodBuilder::new("two").build());
        assert_eq!((one.id.len(), one.uid.len()), (64, 32));
        assert_ne!(one.id, two.id);
        assert_ne!(
            ContainerBuilder::new(&one, "app").build().id,
            ContainerBuilder::new(&two, "app").build().id
        );
    }
}
