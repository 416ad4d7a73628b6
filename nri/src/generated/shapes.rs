// Generated from nri.proto by containerd-nri-codegen. Do not edit.
// @generated

//! The shapes of the messages.

use super::nri::*;
use crate::weight::{ENTRY_OVERHEAD, Shape, Shaped};

impl Shaped for RegisterPluginRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl Shaped for UpdateContainersRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::SHAPE), (2, &ContainerEviction::SHAPE)] }; }
impl Shaped for UpdateContainersResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &ContainerUpdate::SHAPE)] }; }
impl Shaped for LogRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for ConfigureRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 6, parts: &[] }; }
impl Shaped for ConfigureResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(3, &FailurePolicy::SHAPE)] }; }
impl Shaped for FailurePolicy { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for SynchronizeRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for SynchronizeResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::SHAPE)] }; }
impl Shaped for RunPodSandboxRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::SHAPE)] }; }
impl Shaped for PostUpdatePodSandboxRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::SHAPE)] }; }
impl Shaped for StopPodSandboxRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::SHAPE)] }; }
impl Shaped for RemovePodSandboxRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::SHAPE)] }; }
impl Shaped for RunPodSandboxResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for PostUpdatePodSandboxResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for StopPodSandboxResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for RemovePodSandboxResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for PostCreateContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for StartContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for PostStartContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for PostUpdateContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for RemoveContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for UpdatePodSandboxResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for Empty { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl Shaped for UpdatePodSandboxRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::SHAPE), (2, &LinuxResources::SHAPE), (3, &LinuxResources::SHAPE)] }; }
impl Shaped for CreateContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for StopContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for CreateContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(1, &ContainerAdjustment::SHAPE), (2, &ContainerUpdate::SHAPE), (3, &ContainerEviction::SHAPE)] }; }
impl Shaped for PostCreateContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for StartContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for PostStartContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for PostUpdateContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for RemoveContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE)] }; }
impl Shaped for UpdateContainerRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE), (3, &LinuxResources::SHAPE)] }; }
impl Shaped for UpdateContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::SHAPE), (2, &ContainerEviction::SHAPE)] }; }
impl Shaped for StopContainerResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &ContainerUpdate::SHAPE)] }; }
impl Shaped for StateChangeEvent { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(2, &PodSandbox::SHAPE), (3, &Container::SHAPE)] }; }
impl Shaped for ValidateContainerAdjustmentRequest { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 6, parts: &[(1, &PodSandbox::SHAPE), (2, &Container::SHAPE), (3, &ContainerAdjustment::SHAPE), (4, &ContainerUpdate::SHAPE), (5, &OwningPlugins::SHAPE), (6, &PluginInstance::SHAPE)] }; }
impl Shaped for PluginInstance { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for ValidateContainerAdjustmentResponse { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for PodSandbox { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 10, parts: &[(5, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (6, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (8, &LinuxPodSandbox::SHAPE)] }; }
impl Shaped for LinuxPodSandbox { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 6, parts: &[(1, &LinuxResources::SHAPE), (2, &LinuxResources::SHAPE), (5, &LinuxNamespace::SHAPE), (6, &LinuxResources::SHAPE)] }; }
impl Shaped for Container { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 22, parts: &[(5, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (6, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (9, &Mount::SHAPE), (10, &Hooks::SHAPE), (11, &LinuxContainer::SHAPE), (13, &POSIXRlimit::SHAPE), (20, &CDIDevice::SHAPE), (21, &User::SHAPE), (22, &Image::SHAPE)] }; }
impl Shaped for Image { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl Shaped for Mount { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 4, parts: &[] }; }
impl Shaped for Hooks { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 6, parts: &[(1, &Hook::SHAPE), (2, &Hook::SHAPE), (3, &Hook::SHAPE), (4, &Hook::SHAPE), (5, &Hook::SHAPE), (6, &Hook::SHAPE)] }; }
impl Shaped for Hook { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 4, parts: &[(4, &OptionalInt::SHAPE)] }; }
impl Shaped for LinuxContainer { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 12, parts: &[(1, &LinuxNamespace::SHAPE), (2, &LinuxDevice::SHAPE), (3, &LinuxResources::SHAPE), (4, &OptionalInt::SHAPE), (6, &LinuxIOPriority::SHAPE), (7, &SecurityProfile::SHAPE), (8, &LinuxSeccomp::SHAPE), (9, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (10, &Shape { bytes: size_of::<(String, LinuxNetDevice)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &LinuxNetDevice::SHAPE)] }), (11, &LinuxScheduler::SHAPE), (12, &LinuxRdt::SHAPE)] }; }
impl Shaped for LinuxNamespace { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for LinuxDevice { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 7, parts: &[(5, &OptionalFileMode::SHAPE), (6, &OptionalUInt32::SHAPE), (7, &OptionalUInt32::SHAPE)] }; }
impl Shaped for LinuxDeviceCgroup { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 5, parts: &[(3, &OptionalInt64::SHAPE), (4, &OptionalInt64::SHAPE)] }; }
impl Shaped for CDIDevice { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for User { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl Shaped for LinuxResources { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 8, parts: &[(1, &LinuxMemory::SHAPE), (2, &LinuxCPU::SHAPE), (3, &HugepageLimit::SHAPE), (4, &OptionalString::SHAPE), (5, &OptionalString::SHAPE), (6, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (7, &LinuxDeviceCgroup::SHAPE), (8, &LinuxPids::SHAPE)] }; }
impl Shaped for LinuxMemory { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 8, parts: &[(1, &OptionalInt64::SHAPE), (2, &OptionalInt64::SHAPE), (3, &OptionalInt64::SHAPE), (4, &OptionalInt64::SHAPE), (5, &OptionalInt64::SHAPE), (6, &OptionalUInt64::SHAPE), (7, &OptionalBool::SHAPE), (8, &OptionalBool::SHAPE)] }; }
impl Shaped for LinuxCPU { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 7, parts: &[(1, &OptionalUInt64::SHAPE), (2, &OptionalInt64::SHAPE), (3, &OptionalUInt64::SHAPE), (4, &OptionalInt64::SHAPE), (5, &OptionalUInt64::SHAPE)] }; }
impl Shaped for HugepageLimit { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for SecurityProfile { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for POSIXRlimit { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl Shaped for LinuxPids { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for LinuxIOPriority { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for LinuxNetDevice { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for LinuxScheduler { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 7, parts: &[] }; }
impl Shaped for ContainerAdjustment { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 9, parts: &[(2, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (3, &Mount::SHAPE), (4, &KeyValue::SHAPE), (5, &Hooks::SHAPE), (6, &LinuxContainerAdjustment::SHAPE), (7, &POSIXRlimit::SHAPE), (8, &CDIDevice::SHAPE)] }; }
impl Shaped for LinuxContainerAdjustment { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 12, parts: &[(1, &LinuxDevice::SHAPE), (2, &LinuxResources::SHAPE), (4, &OptionalInt::SHAPE), (5, &LinuxIOPriority::SHAPE), (6, &LinuxSeccomp::SHAPE), (7, &LinuxNamespace::SHAPE), (8, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (9, &Shape { bytes: size_of::<(String, LinuxNetDevice)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &LinuxNetDevice::SHAPE)] }), (10, &LinuxScheduler::SHAPE), (11, &LinuxRdt::SHAPE), (12, &LinuxMemoryPolicy::SHAPE)] }; }
impl Shaped for LinuxSeccomp { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 7, parts: &[(2, &OptionalUInt32::SHAPE), (7, &LinuxSyscall::SHAPE)] }; }
impl Shaped for LinuxSyscall { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 4, parts: &[(3, &OptionalUInt32::SHAPE), (4, &LinuxSeccompArg::SHAPE)] }; }
impl Shaped for LinuxSeccompArg { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 4, parts: &[] }; }
impl Shaped for LinuxMemoryPolicy { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl Shaped for ContainerUpdate { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 3, parts: &[(2, &LinuxContainerUpdate::SHAPE)] }; }
impl Shaped for LinuxContainerUpdate { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &LinuxResources::SHAPE)] }; }
impl Shaped for ContainerEviction { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for LinuxRdt { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 4, parts: &[(1, &OptionalString::SHAPE), (2, &OptionalRepeatedString::SHAPE), (3, &OptionalBool::SHAPE)] }; }
impl Shaped for KeyValue { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl Shaped for OptionalString { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalRepeatedString { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalInt { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalInt32 { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalUInt32 { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalInt64 { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalUInt64 { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalBool { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for OptionalFileMode { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl Shaped for CompoundFieldOwners { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] })] }; }
impl Shaped for FieldOwners { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 2, parts: &[(1, &Shape { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (2, &Shape { bytes: size_of::<(String, CompoundFieldOwners)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &CompoundFieldOwners::SHAPE)] })] }; }
impl Shaped for OwningPlugins { const SHAPE: Shape = Shape { bytes: size_of::<Self>(), known: 1, parts: &[(1, &Shape { bytes: size_of::<(String, FieldOwners)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &FieldOwners::SHAPE)] })] }; }

/// The shape of this call's request; an empty one if there is no such call.
pub(crate) fn of_request(method: &str) -> &'static Shape {
    match method {
        "Configure" => &ConfigureRequest::SHAPE,
        "Synchronize" => &SynchronizeRequest::SHAPE,
        "Shutdown" => &Empty::SHAPE,
        "RunPodSandbox" => &RunPodSandboxRequest::SHAPE,
        "UpdatePodSandbox" => &UpdatePodSandboxRequest::SHAPE,
        "PostUpdatePodSandbox" => &PostUpdatePodSandboxRequest::SHAPE,
        "StopPodSandbox" => &StopPodSandboxRequest::SHAPE,
        "RemovePodSandbox" => &RemovePodSandboxRequest::SHAPE,
        "CreateContainer" => &CreateContainerRequest::SHAPE,
        "PostCreateContainer" => &PostCreateContainerRequest::SHAPE,
        "StartContainer" => &StartContainerRequest::SHAPE,
        "PostStartContainer" => &PostStartContainerRequest::SHAPE,
        "UpdateContainer" => &UpdateContainerRequest::SHAPE,
        "PostUpdateContainer" => &PostUpdateContainerRequest::SHAPE,
        "StopContainer" => &StopContainerRequest::SHAPE,
        "RemoveContainer" => &RemoveContainerRequest::SHAPE,
        "ValidateContainerAdjustment" => &ValidateContainerAdjustmentRequest::SHAPE,
        "StateChange" => &StateChangeEvent::SHAPE,
        _ => &Empty::SHAPE,
    }
}
