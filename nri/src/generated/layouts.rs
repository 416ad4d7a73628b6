// Generated from nri.proto by containerd-nri-codegen. Do not edit.
// @generated

//! The layouts of the messages.

use super::nri::*;
use crate::estimate::{ENTRY_OVERHEAD, Layout, WithLayout};

impl WithLayout for RegisterPluginRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl WithLayout for UpdateContainersRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::LAYOUT), (2, &ContainerEviction::LAYOUT)] }; }
impl WithLayout for UpdateContainersResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &ContainerUpdate::LAYOUT)] }; }
impl WithLayout for LogRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for ConfigureRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 6, parts: &[] }; }
impl WithLayout for ConfigureResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(3, &FailurePolicy::LAYOUT)] }; }
impl WithLayout for FailurePolicy { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for SynchronizeRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for SynchronizeResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::LAYOUT)] }; }
impl WithLayout for RunPodSandboxRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::LAYOUT)] }; }
impl WithLayout for PostUpdatePodSandboxRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::LAYOUT)] }; }
impl WithLayout for StopPodSandboxRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::LAYOUT)] }; }
impl WithLayout for RemovePodSandboxRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &PodSandbox::LAYOUT)] }; }
impl WithLayout for RunPodSandboxResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for PostUpdatePodSandboxResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for StopPodSandboxResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for RemovePodSandboxResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for PostCreateContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for StartContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for PostStartContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for PostUpdateContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for RemoveContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for UpdatePodSandboxResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for Empty { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 0, parts: &[] }; }
impl WithLayout for UpdatePodSandboxRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::LAYOUT), (2, &LinuxResources::LAYOUT), (3, &LinuxResources::LAYOUT)] }; }
impl WithLayout for CreateContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for StopContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for CreateContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(1, &ContainerAdjustment::LAYOUT), (2, &ContainerUpdate::LAYOUT), (3, &ContainerEviction::LAYOUT)] }; }
impl WithLayout for PostCreateContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for StartContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for PostStartContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for PostUpdateContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for RemoveContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT)] }; }
impl WithLayout for UpdateContainerRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT), (3, &LinuxResources::LAYOUT)] }; }
impl WithLayout for UpdateContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &ContainerUpdate::LAYOUT), (2, &ContainerEviction::LAYOUT)] }; }
impl WithLayout for StopContainerResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &ContainerUpdate::LAYOUT)] }; }
impl WithLayout for StateChangeEvent { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(2, &PodSandbox::LAYOUT), (3, &Container::LAYOUT)] }; }
impl WithLayout for ValidateContainerAdjustmentRequest { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 6, parts: &[(1, &PodSandbox::LAYOUT), (2, &Container::LAYOUT), (3, &ContainerAdjustment::LAYOUT), (4, &ContainerUpdate::LAYOUT), (5, &OwningPlugins::LAYOUT), (6, &PluginInstance::LAYOUT)] }; }
impl WithLayout for PluginInstance { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for ValidateContainerAdjustmentResponse { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for PodSandbox { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 10, parts: &[(5, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (6, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (8, &LinuxPodSandbox::LAYOUT)] }; }
impl WithLayout for LinuxPodSandbox { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 6, parts: &[(1, &LinuxResources::LAYOUT), (2, &LinuxResources::LAYOUT), (5, &LinuxNamespace::LAYOUT), (6, &LinuxResources::LAYOUT)] }; }
impl WithLayout for Container { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 22, parts: &[(5, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (6, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (9, &Mount::LAYOUT), (10, &Hooks::LAYOUT), (11, &LinuxContainer::LAYOUT), (13, &POSIXRlimit::LAYOUT), (20, &CDIDevice::LAYOUT), (21, &User::LAYOUT), (22, &Image::LAYOUT)] }; }
impl WithLayout for Image { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl WithLayout for Mount { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 4, parts: &[] }; }
impl WithLayout for Hooks { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 6, parts: &[(1, &Hook::LAYOUT), (2, &Hook::LAYOUT), (3, &Hook::LAYOUT), (4, &Hook::LAYOUT), (5, &Hook::LAYOUT), (6, &Hook::LAYOUT)] }; }
impl WithLayout for Hook { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 4, parts: &[(4, &OptionalInt::LAYOUT)] }; }
impl WithLayout for LinuxContainer { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 12, parts: &[(1, &LinuxNamespace::LAYOUT), (2, &LinuxDevice::LAYOUT), (3, &LinuxResources::LAYOUT), (4, &OptionalInt::LAYOUT), (6, &LinuxIOPriority::LAYOUT), (7, &SecurityProfile::LAYOUT), (8, &LinuxSeccomp::LAYOUT), (9, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (10, &Layout { bytes: size_of::<(String, LinuxNetDevice)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &LinuxNetDevice::LAYOUT)] }), (11, &LinuxScheduler::LAYOUT), (12, &LinuxRdt::LAYOUT)] }; }
impl WithLayout for LinuxNamespace { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for LinuxDevice { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 7, parts: &[(5, &OptionalFileMode::LAYOUT), (6, &OptionalUInt32::LAYOUT), (7, &OptionalUInt32::LAYOUT)] }; }
impl WithLayout for LinuxDeviceCgroup { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 5, parts: &[(3, &OptionalInt64::LAYOUT), (4, &OptionalInt64::LAYOUT)] }; }
impl WithLayout for CDIDevice { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for User { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl WithLayout for LinuxResources { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 8, parts: &[(1, &LinuxMemory::LAYOUT), (2, &LinuxCPU::LAYOUT), (3, &HugepageLimit::LAYOUT), (4, &OptionalString::LAYOUT), (5, &OptionalString::LAYOUT), (6, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (7, &LinuxDeviceCgroup::LAYOUT), (8, &LinuxPids::LAYOUT)] }; }
impl WithLayout for LinuxMemory { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 8, parts: &[(1, &OptionalInt64::LAYOUT), (2, &OptionalInt64::LAYOUT), (3, &OptionalInt64::LAYOUT), (4, &OptionalInt64::LAYOUT), (5, &OptionalInt64::LAYOUT), (6, &OptionalUInt64::LAYOUT), (7, &OptionalBool::LAYOUT), (8, &OptionalBool::LAYOUT)] }; }
impl WithLayout for LinuxCPU { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 7, parts: &[(1, &OptionalUInt64::LAYOUT), (2, &OptionalInt64::LAYOUT), (3, &OptionalUInt64::LAYOUT), (4, &OptionalInt64::LAYOUT), (5, &OptionalUInt64::LAYOUT)] }; }
impl WithLayout for HugepageLimit { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for SecurityProfile { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for POSIXRlimit { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl WithLayout for LinuxPids { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for LinuxIOPriority { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for LinuxNetDevice { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for LinuxScheduler { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 7, parts: &[] }; }
impl WithLayout for ContainerAdjustment { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 9, parts: &[(2, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (3, &Mount::LAYOUT), (4, &KeyValue::LAYOUT), (5, &Hooks::LAYOUT), (6, &LinuxContainerAdjustment::LAYOUT), (7, &POSIXRlimit::LAYOUT), (8, &CDIDevice::LAYOUT)] }; }
impl WithLayout for LinuxContainerAdjustment { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 12, parts: &[(1, &LinuxDevice::LAYOUT), (2, &LinuxResources::LAYOUT), (4, &OptionalInt::LAYOUT), (5, &LinuxIOPriority::LAYOUT), (6, &LinuxSeccomp::LAYOUT), (7, &LinuxNamespace::LAYOUT), (8, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (9, &Layout { bytes: size_of::<(String, LinuxNetDevice)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &LinuxNetDevice::LAYOUT)] }), (10, &LinuxScheduler::LAYOUT), (11, &LinuxRdt::LAYOUT), (12, &LinuxMemoryPolicy::LAYOUT)] }; }
impl WithLayout for LinuxSeccomp { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 7, parts: &[(2, &OptionalUInt32::LAYOUT), (7, &LinuxSyscall::LAYOUT)] }; }
impl WithLayout for LinuxSyscall { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 4, parts: &[(3, &OptionalUInt32::LAYOUT), (4, &LinuxSeccompArg::LAYOUT)] }; }
impl WithLayout for LinuxSeccompArg { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 4, parts: &[] }; }
impl WithLayout for LinuxMemoryPolicy { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[] }; }
impl WithLayout for ContainerUpdate { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 3, parts: &[(2, &LinuxContainerUpdate::LAYOUT)] }; }
impl WithLayout for LinuxContainerUpdate { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &LinuxResources::LAYOUT)] }; }
impl WithLayout for ContainerEviction { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for LinuxRdt { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 4, parts: &[(1, &OptionalString::LAYOUT), (2, &OptionalRepeatedString::LAYOUT), (3, &OptionalBool::LAYOUT)] }; }
impl WithLayout for KeyValue { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[] }; }
impl WithLayout for OptionalString { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalRepeatedString { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalInt { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalInt32 { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalUInt32 { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalInt64 { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalUInt64 { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalBool { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for OptionalFileMode { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[] }; }
impl WithLayout for CompoundFieldOwners { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] })] }; }
impl WithLayout for FieldOwners { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 2, parts: &[(1, &Layout { bytes: size_of::<(String, String)>() + ENTRY_OVERHEAD, known: 2, parts: &[] }), (2, &Layout { bytes: size_of::<(String, CompoundFieldOwners)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &CompoundFieldOwners::LAYOUT)] })] }; }
impl WithLayout for OwningPlugins { const LAYOUT: Layout = Layout { bytes: size_of::<Self>(), known: 1, parts: &[(1, &Layout { bytes: size_of::<(String, FieldOwners)>() + ENTRY_OVERHEAD, known: 2, parts: &[(2, &FieldOwners::LAYOUT)] })] }; }

/// The layout of this call's request; an empty one if there is no such call.
pub(crate) fn of_request(method: &str) -> &'static Layout {
    match method {
        "Configure" => &ConfigureRequest::LAYOUT,
        "Synchronize" => &SynchronizeRequest::LAYOUT,
        "Shutdown" => &Empty::LAYOUT,
        "RunPodSandbox" => &RunPodSandboxRequest::LAYOUT,
        "UpdatePodSandbox" => &UpdatePodSandboxRequest::LAYOUT,
        "PostUpdatePodSandbox" => &PostUpdatePodSandboxRequest::LAYOUT,
        "StopPodSandbox" => &StopPodSandboxRequest::LAYOUT,
        "RemovePodSandbox" => &RemovePodSandboxRequest::LAYOUT,
        "CreateContainer" => &CreateContainerRequest::LAYOUT,
        "PostCreateContainer" => &PostCreateContainerRequest::LAYOUT,
        "StartContainer" => &StartContainerRequest::LAYOUT,
        "PostStartContainer" => &PostStartContainerRequest::LAYOUT,
        "UpdateContainer" => &UpdateContainerRequest::LAYOUT,
        "PostUpdateContainer" => &PostUpdateContainerRequest::LAYOUT,
        "StopContainer" => &StopContainerRequest::LAYOUT,
        "RemoveContainer" => &RemoveContainerRequest::LAYOUT,
        "ValidateContainerAdjustment" => &ValidateContainerAdjustmentRequest::LAYOUT,
        "StateChange" => &StateChangeEvent::LAYOUT,
        _ => &Empty::LAYOUT,
    }
}
