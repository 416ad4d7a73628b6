//! Containers.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tonic::Status as CallError;

use super::messages::{
    Capability, ContainerConfig, ContainerId, ContainerMetadata, ContainerStatusRequest,
    ContainerStatusResponse, CreateContainerRequest, Empty, ExecSyncRequest, ExecSyncResponse, ImageSpec,
    KeyValue, LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext, Mount,
    SecurityProfile, StopContainerRequest,
};
use super::pod::log_name;
use super::{Client, Pod};
use crate::node::Host;
use crate::{Containerd, image, wait};

/// The default program of a container: it runs until it is asked to end, which it does at once.
const UNTIL_STOPPED: [&str; 3] = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 2147483647 & wait"];

/// Describes a container.
#[derive(Debug)]
pub struct ContainerBuilder<'a> {
    pod: &'a Pod,
    config: ContainerConfig,
}

impl<'a> ContainerBuilder<'a> {
    pub(super) fn new(pod: &'a Pod, name: &str) -> Self {
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: name.into(),
                attempt: 0,
            }),
            image: Some(ImageSpec {
                image: image::WORKLOAD.into(),
            }),
            command: UNTIL_STOPPED.map(Into::into).into(),
            args: Vec::new(),
            envs: Vec::new(),
            mounts: Vec::new(),
            labels: HashMap::new(),
            annotations: HashMap::new(),
            log_path: log_name(name),
            linux: Some(LinuxContainerConfig {
                resources: None,
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(pod.namespaces()),
                    ..Default::default()
                }),
            }),
        };
        ContainerBuilder { pod, config }
    }

    /// The program and its arguments, in the image; if not called, something that runs until it is stopped.
    #[must_use]
    pub fn command<const N: usize>(mut self, command: [&str; N]) -> Self {
        self.config.command = command.map(Into::into).into();
        self
    }

    /// Another image, with arguments for the program that this starts.
    #[must_use]
    pub fn image<'s>(mut self, name: &str, args: impl IntoIterator<Item = &'s str>) -> Self {
        self.config.image = Some(ImageSpec { image: name.into() });
        self.config.command.clear();
        self.config.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Another program than that of the image, which gets the same arguments.
    #[must_use]
    pub fn program(mut self, path: &str) -> Self {
        self.config.command = vec![path.into()];
        self
    }

    /// Mounts a directory of the node, for reading or also for writing.
    #[must_use]
    pub fn mount(mut self, node: &Path, container: &str, access: Access) -> Self {
        self.config.mounts.push(Mount {
            container_path: container.into(),
            host_path: node.display().to_string(),
            readonly: access == Access::Read,
        });
        self
    }

    /// Removes everything that a container does not need: capabilities, new privileges, writing to its image. Seccomp
    /// and AppArmor confine it as the runtime does by default.
    #[must_use]
    pub fn least_privilege(self, host: Host) -> Self {
        self.confinement(Confinement::RuntimeDefault, host)
            .security(|context| {
                context.capabilities = Some(Capability {
                    drop_capabilities: vec!["ALL".into()],
                });
                context.no_new_privs = true;
                context.readonly_rootfs = true;
            })
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.config.envs.push(KeyValue {
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Adds an annotation of the container itself (users of Kubernetes cannot).
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.config.annotations.insert(key.into(), value.into());
        self
    }

    /// How often the container of this name was made before in this pod; needed to make it again.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        if let Some(metadata) = &mut self.config.metadata {
            metadata.attempt = attempt;
        }
        self
    }

    /// Limits its memory, in bytes.
    #[must_use]
    pub fn memory_limit(mut self, bytes: i64) -> Self {
        if let Some(linux) = &mut self.config.linux {
            linux.resources = Some(LinuxContainerResources {
                memory_limit_in_bytes: bytes,
            });
        }
        self
    }

    /// Makes it privileged; the pod must be too.
    #[must_use]
    pub fn privileged(self) -> Self {
        self.security(|context| context.privileged = true)
    }

    /// Has seccomp and, if the `host` has it, AppArmor confine it by this profile.
    #[must_use]
    pub fn confinement(self, confinement: Confinement, host: Host) -> Self {
        let profile = SecurityProfile {
            profile_type: match confinement {
                Confinement::RuntimeDefault => 0,
                Confinement::Unconfined => 1,
            },
        };
        self.security(|context| {
            context.seccomp = Some(profile);
            context.apparmor = host.has_apparmor.then_some(profile);
        })
    }

    fn security(mut self, change: impl FnOnce(&mut LinuxContainerSecurityContext)) -> Self {
        let linux = self.config.linux.get_or_insert_default();
        change(linux.security_context.get_or_insert_default());
        self
    }

    /// Its pod as a manifest has it, with this container alone; `list` is `containers`, or `initContainers`, of which
    /// the runtime knows nothing.
    pub fn manifest(&self, list: &str) -> Value {
        let name = self.config.metadata.as_ref().map(|metadata| &metadata.name);
        let container = json!({"name": name, "command": self.config.command});
        self.pod.manifest(list, &container)
    }

    /// Creates it.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn create(self) -> Result<Container, CallError> {
        let request = CreateContainerRequest {
            pod_sandbox_id: self.pod.id.clone(),
            config: Some(self.config),
            sandbox_config: Some(self.pod.config.clone()),
        };
        let client = self.pod.client.clone();
        let answer: ContainerId = client.runtime("CreateContainer", request).await?;
        Ok(Container {
            client,
            id: answer.container_id,
        })
    }

    /// Creates and starts it.
    ///
    /// # Errors
    /// The runtime's, for either.
    pub async fn start(self) -> Result<Container, CallError> {
        let container = self.create().await?;
        container.start().await?;
        Ok(container)
    }
}

/// The rights of a container on its mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

/// The rights of a container in the kernel (`SecurityProfile`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// The runtime's rights for ordinary containers.
    RuntimeDefault,
    /// Everything.
    Unconfined,
}

/// A container that was created.
#[derive(Debug, Clone)]
pub struct Container {
    client: Client,
    id: String,
}

impl Container {
    /// Its id in the runtime.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Uses the runtime again after its restart.
    #[must_use]
    pub fn reconnected(mut self, containerd: &Containerd) -> Self {
        self.client = containerd.client().clone();
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn start(&self) -> Result<(), CallError> {
        self.client
            .runtime("StartContainer", self.request())
            .await
            .map(|Empty {}| ())
    }

    /// Stops it: asks it to end, and kills it after `grace` seconds.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn stop(&self, grace: i64) -> Result<(), CallError> {
        let request = StopContainerRequest {
            container_id: self.id.clone(),
            timeout: grace,
        };
        self.client
            .runtime("StopContainer", request)
            .await
            .map(|Empty {}| ())
    }

    /// Removes it.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn remove(self) -> Result<(), CallError> {
        self.client
            .runtime("RemoveContainer", self.request())
            .await
            .map(|Empty {}| ())
    }

    /// The output of a command in it, as `kubectl exec` has it.
    ///
    /// # Errors
    /// The runtime's, or the command fails; the message has what it said.
    pub async fn exec(&self, command: &[&str]) -> Result<String> {
        let request = ExecSyncRequest {
            container_id: self.id.clone(),
            cmd: command.iter().map(ToString::to_string).collect(),
        };
        let answer: ExecSyncResponse = self.client.runtime("ExecSync", request).await?;
        let stderr = String::from_utf8_lossy(&answer.stderr);
        ensure!(
            answer.exit_code == 0,
            "{command:?} ended with {}: {stderr}",
            answer.exit_code
        );
        Ok(String::from_utf8(answer.stdout)?)
    }

    /// How it is.
    ///
    /// # Errors
    /// The runtime's, or its answer lacks a part that every runtime has.
    pub async fn status(&self) -> Result<Status> {
        let request = ContainerStatusRequest {
            container_id: self.id.clone(),
            verbose: true,
        };
        let answer: ContainerStatusResponse = self.client.runtime("ContainerStatus", request).await?;
        let status = answer.status.context("the answer has no status")?;
        let info = answer.info.get("info").context("the answer has no info")?;
        let info: Value = serde_json::from_str(info).context("parse the info")?;
        Ok(Status {
            state: State::from_wire(status.state)?,
            exit_code: status.exit_code,
            reason: status.reason,
            message: status.message,
            info,
        })
    }

    /// Awaits that it is in `state`.
    ///
    /// # Errors
    /// It is not within [`wait::LIMIT`].
    pub async fn await_state(&self, state: State) -> Result<Status> {
        wait::until(&format!("container {} to be {state:?}", self.id), async || {
            let status = self.status().await?;
            Ok((status.state == state).then_some(status))
        })
        .await
    }

    fn request(&self) -> ContainerId {
        ContainerId {
            container_id: self.id.clone(),
        }
    }
}

/// Where a container is in its life (`ContainerState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Created, not started.
    Created,
    /// Started.
    Running,
    /// Ended.
    Exited,
    /// The runtime does not know.
    Unknown,
}

impl State {
    fn from_wire(state: i32) -> Result<State> {
        Ok(match state {
            0 => State::Created,
            1 => State::Running,
            2 => State::Exited,
            3 => State::Unknown,
            other => bail!("{other} is no state of a container"),
        })
    }
}

/// The runtime's status of a container.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where it is in its life.
    pub state: State,
    /// With what its init ended.
    pub exit_code: i32,
    /// Why it is in its state, in one word.
    pub reason: String,
    /// Why it is in its state, in a sentence.
    pub message: String,
    info: Value,
}

impl Status {
    /// The OCI hooks of one stage in its spec, `config.json` keys; empty if there are none.
    pub fn hooks(&self, stage: &str) -> &[Value] {
        let hooks = &self.info["runtimeSpec"]["hooks"][stage];
        hooks.as_array().map_or(&[], Vec::as_slice)
    }

    /// Its OCI spec.
    pub fn spec(&self) -> &Value {
        &self.info["runtimeSpec"]
    }

    /// The process id of its init as the node counts; 0 if it does not run.
    pub fn pid(&self) -> i64 {
        self.info["pid"].as_i64().unwrap_or_default()
    }
}
