//! The events of a plugin, sent in the form of the runtime's version of NRI.

use containerd_nri::api::{
    Container, CreateContainerResponse, Empty, Event, LinuxResources, PodSandbox, StopContainerResponse,
    UpdateContainerRequest, UpdateContainerResponse, UpdatePodSandboxRequest, UpdatePodSandboxResponse,
    ValidateContainerAdjustmentRequest, ValidateContainerAdjustmentResponse,
};
use containerd_nri::{Code, EventMask};
use protobuf::{CodedOutputStream, Message};

use crate::handle::PluginHandle;
use crate::outcome::{FailedRequest, Outcome};

impl PluginHandle {
    /// RunPodSandbox: a pod was started.
    pub async fn run_pod_sandbox(&mut self, pod: &PodSandbox) -> Outcome<()> {
        self.notify("RunPodSandbox", Event::RUN_POD_SANDBOX, pod, None)
            .await
    }

    /// UpdatePodSandbox: the resources of a pod are being changed (NRI 0.10).
    pub async fn update_pod_sandbox(&mut self, request: &UpdatePodSandboxRequest) -> Outcome<()> {
        if !self.profile.validates_and_updates_pods() {
            return Outcome::NotSubscribed;
        }
        let request = request.write_to_bytes().unwrap_or_default();
        let outcome = self
            .request("UpdatePodSandbox", EventMask::UPDATE_POD_SANDBOX, request)
            .await;
        outcome.map(|_: UpdatePodSandboxResponse| ())
    }

    /// PostUpdatePodSandbox: the resources of a pod were changed (NRI 0.10).
    pub async fn post_update_pod_sandbox(&mut self, pod: &PodSandbox) -> Outcome<()> {
        self.notify("PostUpdatePodSandbox", Event::POST_UPDATE_POD_SANDBOX, pod, None)
            .await
    }

    /// StopPodSandbox: a pod is stopped.
    pub async fn stop_pod_sandbox(&mut self, pod: &PodSandbox) -> Outcome<()> {
        self.notify("StopPodSandbox", Event::STOP_POD_SANDBOX, pod, None)
            .await
    }

    /// RemovePodSandbox: a pod is removed.
    pub async fn remove_pod_sandbox(&mut self, pod: &PodSandbox) -> Outcome<()> {
        self.notify("RemovePodSandbox", Event::REMOVE_POD_SANDBOX, pod, None)
            .await
    }

    /// CreateContainer: a container is being created, and can be adjusted.
    pub async fn create_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> Outcome<CreateContainerResponse> {
        let request = encode(None, pod, Some(&completed(container)));
        self.request("CreateContainer", EventMask::CREATE_CONTAINER, request)
            .await
    }

    /// PostCreateContainer: a container was created.
    pub async fn post_create_container(&mut self, pod: &PodSandbox, container: &Container) -> Outcome<()> {
        self.notify(
            "PostCreateContainer",
            Event::POST_CREATE_CONTAINER,
            pod,
            Some(container),
        )
        .await
    }

    /// StartContainer: a container is being started.
    pub async fn start_container(&mut self, pod: &PodSandbox, container: &Container) -> Outcome<()> {
        self.notify("StartContainer", Event::START_CONTAINER, pod, Some(container))
            .await
    }

    /// PostStartContainer: a container was started.
    pub async fn post_start_container(&mut self, pod: &PodSandbox, container: &Container) -> Outcome<()> {
        self.notify(
            "PostStartContainer",
            Event::POST_START_CONTAINER,
            pod,
            Some(container),
        )
        .await
    }

    /// UpdateContainer: the resources of a container are being changed.
    pub async fn update_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
        resources: &LinuxResources,
    ) -> Outcome<UpdateContainerResponse> {
        let request = UpdateContainerRequest {
            pod: Some(pod.clone()).into(),
            container: Some(container.clone()).into(),
            linux_resources: Some(with_processors_and_memory(resources.clone())).into(),
            ..Default::default()
        };
        let request = request.write_to_bytes().unwrap_or_default();
        self.request("UpdateContainer", EventMask::UPDATE_CONTAINER, request)
            .await
    }

    /// PostUpdateContainer: the resources of a container were changed.
    pub async fn post_update_container(&mut self, pod: &PodSandbox, container: &Container) -> Outcome<()> {
        self.notify(
            "PostUpdateContainer",
            Event::POST_UPDATE_CONTAINER,
            pod,
            Some(container),
        )
        .await
    }

    /// StopContainer: a container is stopped, or its program has ended.
    pub async fn stop_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> Outcome<StopContainerResponse> {
        let request = encode(None, pod, Some(container));
        self.request("StopContainer", EventMask::STOP_CONTAINER, request)
            .await
    }

    /// RemoveContainer: a container is removed.
    pub async fn remove_container(&mut self, pod: &PodSandbox, container: &Container) -> Outcome<()> {
        self.notify("RemoveContainer", Event::REMOVE_CONTAINER, pod, Some(container))
            .await
    }

    /// ValidateContainerAdjustment: the adjustments of all plugins can be rejected (NRI 0.10). Without an
    /// answer, runtimes fail the creation, independent of the plugin's failure policy.
    pub async fn validate_container_adjustment(
        &mut self,
        request: &ValidateContainerAdjustmentRequest,
    ) -> Outcome<ValidateContainerAdjustmentResponse> {
        let request = request.write_to_bytes().unwrap_or_default();
        self.request(
            "ValidateContainerAdjustment",
            EventMask::VALIDATE_CONTAINER_ADJUSTMENT,
            request,
        )
        .await
    }

    /// Sends an event that has always had an RPC of its own.
    async fn request<A: Message>(&mut self, method: &str, event: EventMask, request: Vec<u8>) -> Outcome<A> {
        if !self.subscription.events.contains(event) {
            return Outcome::NotSubscribed;
        }
        let node = std::sync::Arc::clone(&self.node);
        let _one_event_at_a_time = node.lock().await;
        self.call(method, request).await
    }

    /// Sends an event that has had an RPC of its own since 0.12. To older runtimes, and to plugins that once
    /// answered that they do not implement such an RPC, it is a StateChange.
    async fn notify(
        &mut self,
        method: &str,
        event: Event,
        pod: &PodSandbox,
        container: Option<&Container>,
    ) -> Outcome<()> {
        let mask = EventMask::from_bits(1 << (event as i32 - 1)).unwrap_or_default();
        if !self.state_change_only {
            let outcome = self
                .request(method, mask, encode(None, pod, container))
                .await
                .map(|_: Empty| ());
            match outcome {
                Outcome::Refused(status) if status.code == Code::Unimplemented => {
                    self.state_change_only = true
                }
                other => return other,
            }
        }
        let outcome = self
            .request("StateChange", mask, encode(Some(event), pod, container))
            .await;
        match outcome.map(|_: Empty| ()) {
            // The runtime names the event, whichever call transports it.
            Outcome::Failed(failed) => Outcome::Failed(FailedRequest {
                method: method.to_owned(),
                ..failed
            }),
            other => other,
        }
    }
}

/// A container as in CreateContainer: the parts that a plugin may adjust exist, at least empty.
fn completed(container: &Container) -> Container {
    let mut container = container.clone();
    container.hooks.mut_or_insert_default();
    let linux = container.linux.mut_or_insert_default();
    let resources = linux.resources.take().unwrap_or_default();
    linux.resources = Some(with_processors_and_memory(resources)).into();
    container
}

/// Resources as in CreateContainer and UpdateContainer.
fn with_processors_and_memory(mut resources: LinuxResources) -> LinuxResources {
    resources.memory.mut_or_insert_default();
    resources.cpu.mut_or_insert_default();
    resources
}

/// Encodes the request of an event without copying its messages first.
///
/// The requests of all events begin alike: `pod`, then `container`. A StateChangeEvent has `event` before these.
fn encode(event: Option<Event>, pod: &PodSandbox, container: Option<&Container>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = CodedOutputStream::vec(&mut bytes);
    let first = match event {
        Some(_) => 2,
        None => 1,
    };
    let written = (|| {
        if let Some(event) = event {
            stream.write_enum(1, event as i32)?;
        }
        write_message(&mut stream, first, pod)?;
        if let Some(container) = container {
            write_message(&mut stream, first + 1, container)?;
        }
        stream.flush()
    })();
    drop(stream);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

fn write_message(
    stream: &mut CodedOutputStream<'_>,
    field: u32,
    message: &impl Message,
) -> protobuf::Result<()> {
    let length = message.compute_size();
    stream.write_tag(field, protobuf::rt::WireType::LengthDelimited)?;
    stream.write_raw_varint64(length)?;
    message.write_to_with_cached_sizes(stream)
}
