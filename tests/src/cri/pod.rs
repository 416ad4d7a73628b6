//! Pods.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tonic::Status;

use super::Client;
use super::container::{Container, ContainerBuilder};
use super::messages::{
    DnsConfig, Empty, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption,
    PodSandboxConfig, PodSandboxId, PodSandboxMetadata, RunPodSandboxRequest,
};
use crate::Containerd;

/// Describes a pod; by default on the network of the node.
#[derive(Debug)]
pub struct PodBuilder<'a> {
    containerd: &'a Containerd,
    name: String,
    namespace: String,
    labels: HashMap<String, String>,
    annotations: HashMap<String, String>,
    privileged: bool,
    runtime_handler: String,
    namespaces: NamespaceOption,
}

impl<'a> PodBuilder<'a> {
    pub(crate) fn new(containerd: &'a Containerd, name: &str) -> Self {
        PodBuilder {
            containerd,
            name: name.into(),
            namespace: "default".into(),
            labels: HashMap::new(),
            annotations: HashMap::new(),
            privileged: false,
            runtime_handler: String::new(),
            namespaces: NamespaceOption {
                network: NamespaceMode::Node.into(),
                pid: NamespaceMode::Container.into(),
            },
        }
    }

    /// The Kubernetes namespace; `default` if not called.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Adds an annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Allows privileged containers in it.
    #[must_use]
    pub fn privileged(mut self) -> Self {
        self.privileged = true;
        self
    }

    /// Gives it a network of its own, with nothing in it.
    #[must_use]
    pub fn without_network(mut self) -> Self {
        self.namespaces.network = NamespaceMode::Pod.into();
        self
    }

    /// Lets its containers see the processes of the node, as `hostPID` does.
    #[must_use]
    pub fn host_pid(mut self) -> Self {
        self.namespaces.pid = NamespaceMode::Node.into();
        self
    }

    /// Lets its containers see each other's processes, as `shareProcessNamespace` does.
    #[must_use]
    pub fn shared_pid(mut self) -> Self {
        self.namespaces.pid = NamespaceMode::Pod.into();
        self
    }

    /// The runtime handler, as a RuntimeClass names it; the default one if not called.
    #[must_use]
    pub fn runtime_handler(mut self, name: &str) -> Self {
        self.runtime_handler = name.into();
        self
    }

    /// Makes the pod and starts its pause container.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn run(self) -> Result<Pod> {
        let log_directory = self
            .containerd
            .node()
            .make_directory(&format!("pods/{}_{}", self.namespace, self.name))?;
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                uid: format!("uid-{}-{}", self.namespace, self.name),
                name: self.name,
                namespace: self.namespace,
            }),
            log_directory: log_directory.display().to_string(),
            // With an answer to give, the runtime does not look for the machine's resolv.conf.
            dns_config: Some(DnsConfig {
                servers: vec!["127.0.0.1".into()],
            }),
            labels: self.labels,
            annotations: self.annotations,
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: self.containerd.node().cgroup_parent()?,
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(self.namespaces.clone()),
                    privileged: self.privileged,
                }),
            }),
        };
        let pod = Pod {
            client: self.containerd.client().clone(),
            id: String::new(),
            config,
            log_directory,
            namespaces: self.namespaces,
            runtime_handler: self.runtime_handler,
        };
        Ok(pod.run().await?)
    }
}

/// A pod that was made.
#[derive(Debug, Clone)]
pub struct Pod {
    pub(super) client: Client,
    pub(super) id: String,
    pub(super) config: PodSandboxConfig,
    log_directory: PathBuf,
    namespaces: NamespaceOption,
    runtime_handler: String,
}

impl Pod {
    async fn run(mut self) -> Result<Pod, Status> {
        let request = RunPodSandboxRequest {
            config: Some(self.config.clone()),
            runtime_handler: self.runtime_handler.clone(),
        };
        let answer: PodSandboxId = self.client.runtime("RunPodSandbox", request).await?;
        self.id = answer.pod_sandbox_id;
        Ok(self)
    }

    /// Makes another pod like this one, with this name.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn another(&self, name: &str) -> Result<Pod, Status> {
        let mut pod = self.clone();
        if let Some(metadata) = &mut pod.config.metadata {
            metadata.uid = format!("uid-{}-{name}", metadata.namespace);
            metadata.name = name.into();
        }
        pod.run().await
    }

    /// The OCI spec that the runtime makes of a container `app` of this pod, with `ID` for the container's id. The
    /// container is removed again.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn oci_spec(&self) -> anyhow::Result<String> {
        let container = self.container("app").create().await?;
        let spec = container.status().await?.spec().to_string();
        let spec = spec.replace(container.id(), "ID");
        container.remove().await?;
        Ok(spec)
    }

    /// Its id in the runtime.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The CRI it was made over.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespaces of it and of its containers.
    pub(super) fn namespaces(&self) -> NamespaceOption {
        self.namespaces.clone()
    }

    /// Describes a container in it; [`ContainerBuilder::create`] makes it.
    pub fn container(&self, name: &str) -> ContainerBuilder<'_> {
        ContainerBuilder::new(self, name)
    }

    /// The pod as a manifest has it, with this one container, which is an element of the list called `list`.
    pub(super) fn manifest(&self, list: &str, container: &Value) -> Value {
        let metadata = self.config.metadata.clone().unwrap_or_default();
        json!({
            "kind": "Pod",
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "annotations": self.config.annotations,
            },
            "spec": {"runtimeClassName": self.runtime_handler, list: [container]},
        })
    }

    /// A container that runs until it is stopped, started.
    ///
    /// # Errors
    /// The runtime's, for creating or starting it.
    pub async fn start(&self, name: &str) -> Result<Container, Status> {
        self.container(name).start().await
    }

    /// The output of a container, in the CRI's log format.
    ///
    /// # Errors
    /// It was never started.
    pub fn log(&self, container: &str) -> Result<String> {
        let file = self.log_directory.join(log_name(container));
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
    }

    /// Uses the runtime again after its restart.
    #[must_use]
    pub fn reconnected(mut self, containerd: &Containerd) -> Self {
        self.client = containerd.client().clone();
        self
    }

    /// Stops all its containers.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn stop(&self) -> Result<(), Status> {
        let request = PodSandboxId {
            pod_sandbox_id: self.id.clone(),
        };
        self.client
            .runtime("StopPodSandbox", request)
            .await
            .map(|Empty {}| ())
    }

    /// Removes it with all its containers.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn remove(&self) -> Result<(), Status> {
        let request = PodSandboxId {
            pod_sandbox_id: self.id.clone(),
        };
        self.client
            .runtime("RemovePodSandbox", request)
            .await
            .map(|Empty {}| ())
    }
}

/// The file below the pod's log directory that a container writes to.
pub(super) fn log_name(container: &str) -> String {
    format!("{container}.log")
}
