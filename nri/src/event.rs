//! The events of a plugin: one struct for each method of [`Plugin`](crate::Plugin), with all data from the
//! runtime.
//!
//! The structs are `#[non_exhaustive]`, since later versions of NRI may have more fields. A test of a handler
//! makes one with its `new`, and sets the fields that it needs:
//!
//! ```
//! use containerd_nri::api::{Container, PodSandbox};
//! use containerd_nri::event::UpdateContainer;
//!
//! let mut event = UpdateContainer::new(PodSandbox::default(), Container::default());
//! event.resources.cpu.mut_or_insert_default().cpus = "0-3".into();
//! assert_eq!(event.container.name, "");
//! ```

use crate::api::{
    self, Container, ContainerAdjustment, ContainerUpdate, LinuxResources, OwningPlugins, PluginInstance,
    PodSandbox,
};

/// Declares an event: its struct, its `new` with the fields before the `;`, and its message in the protocol.
macro_rules! event {
    (
        $(#[doc = $doc:literal])*
        $name:ident from $wire:ident {
            $($(#[doc = $field_doc:literal])* $field:ident: $type:ty = $wire_field:ident,)*;
            $($(#[doc = $more_doc:literal])* $more:ident: $more_type:ty = $wire_more:ident,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
            $($(#[doc = $more_doc])* pub $more: $more_type,)*
        }

        impl $name {
            /// The event with its subject; all other fields are empty.
            #[must_use]
            pub fn new($($field: $type),*) -> Self {
                Self { $($field,)* $($more: Default::default(),)* }
            }
        }

        impl From<api::$wire> for $name {
            fn from(request: api::$wire) -> Self {
                Self {
                    $($field: request.$wire_field.into_value(),)*
                    $($more: request.$wire_more.into_value(),)*
                }
            }
        }
    };
}

/// A field of a message as a field of an event: one that is absent on the wire is empty.
trait IntoValue<T> {
    fn into_value(self) -> T;
}

impl<M: Default> IntoValue<M> for api::MessageField<M> {
    fn into_value(self) -> M {
        self.unwrap_or_default()
    }
}

impl<M> IntoValue<Self> for Vec<M> {
    fn into_value(self) -> Self {
        self
    }
}

/// Declares events of a pod alone.
macro_rules! pod_events {
    ($($(#[doc = $doc:literal])* $name:ident from $wire:ident;)*) => {$(
        event! {
            $(#[doc = $doc])*
            $name from $wire {
                /// The pod.
                pod: PodSandbox = pod,;
            }
        }
    )*};
}

/// Declares events of a container in its pod.
macro_rules! container_events {
    ($($(#[doc = $doc:literal])* $name:ident from $wire:ident;)*) => {$(
        event! {
            $(#[doc = $doc])*
            $name from $wire {
                /// The pod of the container.
                pod: PodSandbox = pod,
                /// The container.
                container: Container = container,;
            }
        }
    )*};
}

event! {
    /// All pods and containers of the runtime, in however many messages they were sent.
    Synchronize from SynchronizeRequest {
        /// The pods.
        pods: Vec<PodSandbox> = pods,
        /// The containers. containerd lists those that are created or running.
        containers: Vec<Container> = containers,;
    }
}

pod_events! {
    /// A pod was started.
    RunPodSandbox from RunPodSandboxRequest;
    /// The resources of a pod were changed (NRI 0.10).
    PostUpdatePodSandbox from PostUpdatePodSandboxRequest;
    /// A pod is stopped.
    StopPodSandbox from StopPodSandboxRequest;
    /// A pod is removed.
    RemovePodSandbox from RemovePodSandboxRequest;
}

event! {
    /// The resources of a pod are being changed (NRI 0.10).
    UpdatePodSandbox from UpdatePodSandboxRequest {
        /// The pod.
        pod: PodSandbox = pod,;
        /// The overhead of the pod itself, besides its containers.
        overhead: LinuxResources = overhead_linux_resources,
        /// The new resources of the pod.
        resources: LinuxResources = linux_resources,
    }
}

container_events! {
    /// A container is being created; nothing of it exists yet.
    CreateContainer from CreateContainerRequest;
    /// A container was created.
    PostCreateContainer from PostCreateContainerRequest;
    /// A container is being started: its init process exists, but does not run its program yet.
    StartContainer from StartContainerRequest;
    /// A container was started.
    PostStartContainer from PostStartContainerRequest;
    /// The resources of a container were changed.
    PostUpdateContainer from PostUpdateContainerRequest;
    /// A container has stopped.
    StopContainer from StopContainerRequest;
    /// A container is removed. It may never have been started.
    RemoveContainer from RemoveContainerRequest;
}

event! {
    /// The resources of a container are being changed.
    UpdateContainer from UpdateContainerRequest {
        /// The pod of the container.
        pod: PodSandbox = pod,
        /// The container.
        container: Container = container,;
        /// The new resources of the container.
        resources: LinuxResources = linux_resources,
    }
}

event! {
    /// The changes of all plugins together to a container (NRI 0.10).
    ValidateContainerAdjustment from ValidateContainerAdjustmentRequest {
        /// The pod of the container.
        pod: PodSandbox = pod,
        /// The container as it was before all changes.
        container: Container = container,
        /// The changes to the container.
        adjustment: ContainerAdjustment = adjust,;
        /// The changes to other containers.
        updates: Vec<ContainerUpdate> = update,
        /// Which plugin changes which field.
        owners: OwningPlugins = owners,
        /// The plugins that the runtime called.
        plugins: Vec<PluginInstance> = plugins,
    }
}

/// The runtime no longer wants the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {}

impl Shutdown {
    /// The event, which has no content.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_absent_in_the_message_are_empty() {
        assert_eq!(
            UpdateContainer::from(api::UpdateContainerRequest::default()),
            UpdateContainer::default()
        );
    }

    #[test]
    fn every_field_of_a_request_reaches_the_event() {
        let request = api::ValidateContainerAdjustmentRequest {
            pod: Some(PodSandbox {
                id: "pod".into(),
                ..Default::default()
            })
            .into(),
            container: Some(Container {
                id: "container".into(),
                ..Default::default()
            })
            .into(),
            adjust: Some(ContainerAdjustment {
                args: vec!["sh".into()],
                ..Default::default()
            })
            .into(),
            update: vec![ContainerUpdate::default()],
            owners: Some(OwningPlugins {
                owners: [("container".into(), api::FieldOwners::default())].into(),
                ..Default::default()
            })
            .into(),
            plugins: vec![PluginInstance::default(); 2],
            ..Default::default()
        };
        let event = ValidateContainerAdjustment::from(request);
        assert_eq!((&*event.pod.id, &*event.container.id), ("pod", "container"));
        assert_eq!(event.adjustment.args, ["sh"]);
        assert_eq!((event.updates.len(), event.plugins.len()), (1, 2));
        assert!(event.owners.owners.contains_key("container"));
    }
}
