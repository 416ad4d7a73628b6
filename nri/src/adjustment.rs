//! What a plugin changes about a container that is being created.

use protobuf::{Message, MessageField};

use crate::api;
use crate::frame::MAX_BODY;

/// The longest answer, in bytes, that can travel to the runtime: what ttrpc allows, less its envelope.
pub const MAX_MESSAGE: usize = MAX_BODY - 16;

/// A mark that makes NRI remove the entry it stands before.
fn removed(key: impl Into<String>) -> String {
    format!("-{}", key.into())
}

/// An OCI hook stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookStage {
    /// Deprecated in the OCI runtime-spec for `CreateRuntime`, and supported by every runtime.
    Prestart,
    /// After the namespaces are made, in those of the runtime.
    CreateRuntime,
    /// After the namespaces are made, in those of the container.
    CreateContainer,
    /// Just before the container's program, in its namespaces.
    StartContainer,
    /// After the container's program was started.
    Poststart,
    /// After the container was deleted.
    Poststop,
}

/// The answer to the creation of a container: changes to it, and updates of other containers.
///
/// ```
/// use containerd_nri::{Adjustment, HookStage, api};
///
/// let hook = api::Hook { path: "/usr/bin/nvidia-hook".into(), ..Default::default() };
/// let adjustment = Adjustment::new()
///     .env("GREETING", "hello")
///     .remove_env("DEBUG")
///     .hook(HookStage::Prestart, hook)
///     .memory_limit(512 << 20);
/// assert!(adjustment.encoded_len() < containerd_nri::MAX_MESSAGE);
/// ```
///
/// Two plugins that change the same thing conflict, and the creation fails, unless the later one removes it first.
/// Hooks never conflict: those of later plugins come after.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Adjustment(api::CreateContainerResponse);

impl Adjustment {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hook at the end of a stage. NRI passes the timeout on in seconds and as it is: 0 is not valid.
    pub fn hook(mut self, stage: HookStage, hook: api::Hook) -> Self {
        let hooks = self.raw_mut().hooks.mut_or_insert_default();
        let stage = match stage {
            HookStage::Prestart => &mut hooks.prestart,
            HookStage::CreateRuntime => &mut hooks.create_runtime,
            HookStage::CreateContainer => &mut hooks.create_container,
            HookStage::StartContainer => &mut hooks.start_container,
            HookStage::Poststart => &mut hooks.poststart,
            HookStage::Poststop => &mut hooks.poststop,
        };
        stage.push(hook);
        self
    }

    /// Sets an annotation of the container.
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.raw_mut().annotations.insert(key.into(), value.into());
        self
    }

    /// Removes an annotation of the container.
    pub fn remove_annotation(self, key: impl Into<String>) -> Self {
        self.annotation(removed(key), "")
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let variable = api::KeyValue {
            key: key.into(),
            value: value.into(),
            ..Default::default()
        };
        self.raw_mut().env.push(variable);
        self
    }

    /// Removes an environment variable.
    pub fn remove_env(self, key: impl Into<String>) -> Self {
        self.env(removed(key), "")
    }

    /// Adds a mount.
    pub fn mount(mut self, mount: api::Mount) -> Self {
        self.raw_mut().mounts.push(mount);
        self
    }

    /// Removes the mount at a destination.
    pub fn remove_mount(self, destination: impl Into<String>) -> Self {
        self.mount(api::Mount {
            destination: removed(destination),
            ..Default::default()
        })
    }

    /// Adds a device node.
    pub fn device(mut self, device: api::LinuxDevice) -> Self {
        self.linux_mut().devices.push(device);
        self
    }

    /// Removes the device node at a path.
    pub fn remove_device(self, path: impl Into<String>) -> Self {
        self.device(api::LinuxDevice {
            path: removed(path),
            ..Default::default()
        })
    }

    /// Adds a device by its CDI name, `vendor/class=name` (NRI 0.7).
    pub fn cdi_device(mut self, name: impl Into<String>) -> Self {
        self.raw_mut().CDI_devices.push(api::CDIDevice {
            name: name.into(),
            ..Default::default()
        });
        self
    }

    /// Replaces the command line of the container (NRI 0.10).
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.raw_mut().args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a resource limit of the first process, for instance `RLIMIT_NOFILE` (NRI 0.4).
    pub fn rlimit(mut self, kind: impl Into<String>, hard: u64, soft: u64) -> Self {
        let rlimit = api::POSIXRlimit {
            type_: kind.into(),
            hard,
            soft,
            ..Default::default()
        };
        self.raw_mut().rlimits.push(rlimit);
        self
    }

    /// Sets the score by which the kernel picks its victims when memory runs out, −1000 to 1000 (NRI 0.7).
    pub fn oom_score_adj(mut self, score: i64) -> Self {
        self.linux_mut().oom_score_adj = optional(score);
        self
    }

    /// Sets the cgroup of the container.
    pub fn cgroups_path(mut self, path: impl Into<String>) -> Self {
        self.linux_mut().cgroups_path = path.into();
        self
    }

    /// Limits memory, in bytes.
    pub fn memory_limit(mut self, bytes: i64) -> Self {
        self.resources_mut().memory.mut_or_insert_default().limit = optional(bytes);
        self
    }

    /// Limits memory and swap together, in bytes.
    pub fn memory_swap_limit(mut self, bytes: i64) -> Self {
        self.resources_mut().memory.mut_or_insert_default().swap = optional(bytes);
        self
    }

    /// Sets the CPU shares.
    pub fn cpu_shares(mut self, shares: u64) -> Self {
        self.resources_mut().cpu.mut_or_insert_default().shares = optional(shares);
        self
    }

    /// Limits CPU time to `quota` microseconds in each `period` microseconds.
    pub fn cpu_quota(mut self, quota: i64, period: u64) -> Self {
        let cpu = self.resources_mut().cpu.mut_or_insert_default();
        cpu.quota = optional(quota);
        cpu.period = optional(period);
        self
    }

    /// Sets the CPUs the container may run on, for instance `0-3,7`.
    pub fn cpuset_cpus(mut self, cpus: impl Into<String>) -> Self {
        self.resources_mut().cpu.mut_or_insert_default().cpus = cpus.into();
        self
    }

    /// Sets the memory nodes the container may use, for instance `0-1`.
    pub fn cpuset_mems(mut self, mems: impl Into<String>) -> Self {
        self.resources_mut().cpu.mut_or_insert_default().mems = mems.into();
        self
    }

    /// Limits the number of tasks (NRI 0.7).
    pub fn pids_limit(mut self, limit: i64) -> Self {
        self.resources_mut().pids = MessageField::some(api::LinuxPids {
            limit,
            ..Default::default()
        });
        self
    }

    /// Limits huge pages of one size, for instance `2MB`, in bytes.
    pub fn hugepage_limit(mut self, page_size: impl Into<String>, limit: u64) -> Self {
        let limit = api::HugepageLimit {
            page_size: page_size.into(),
            limit,
            ..Default::default()
        };
        self.resources_mut().hugepage_limits.push(limit);
        self
    }

    /// Sets a file of the unified cgroup hierarchy, for instance `memory.high`.
    pub fn unified(mut self, file: impl Into<String>, value: impl Into<String>) -> Self {
        self.resources_mut().unified.insert(file.into(), value.into());
        self
    }

    /// Updates another container.
    pub fn update(mut self, update: api::ContainerUpdate) -> Self {
        self.0.update.push(update);
        self
    }

    /// The changes to the container as the message that goes over the wire.
    pub fn raw(&self) -> &api::ContainerAdjustment {
        self.0.adjust.get_or_default()
    }

    /// The changes to the container as the message that goes over the wire, for all that has no method here.
    pub fn raw_mut(&mut self) -> &mut api::ContainerAdjustment {
        self.0.adjust.mut_or_insert_default()
    }

    /// The resources among the changes, for all that has no method here.
    pub fn resources_mut(&mut self) -> &mut api::LinuxResources {
        self.linux_mut().resources.mut_or_insert_default()
    }

    /// Bytes of this answer on the wire. With more than [`MAX_MESSAGE`] it cannot travel, and the runtime gets an
    /// error in its place, which fails the creation.
    pub fn encoded_len(&self) -> usize {
        usize::try_from(self.0.compute_size()).unwrap_or(usize::MAX)
    }

    fn linux_mut(&mut self) -> &mut api::LinuxContainerAdjustment {
        self.raw_mut().linux.mut_or_insert_default()
    }
}

impl From<api::ContainerAdjustment> for Adjustment {
    fn from(adjust: api::ContainerAdjustment) -> Self {
        Self(api::CreateContainerResponse {
            adjust: MessageField::some(adjust),
            ..Default::default()
        })
    }
}

impl From<Adjustment> for api::CreateContainerResponse {
    fn from(adjustment: Adjustment) -> Self {
        adjustment.0
    }
}

/// A value that is present, in the wrapper that lets it be absent.
fn optional<T, W: From<T>>(value: T) -> MessageField<W> {
    MessageField::some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_marked_with_a_dash() {
        let mut adjustment = Adjustment::new()
            .remove_env("A")
            .remove_annotation("b")
            .remove_mount("/c")
            .remove_device("/dev/d");
        let raw = adjustment.raw_mut();
        assert_eq!((raw.env[0].key.as_str(), raw.env[0].value.as_str()), ("-A", ""));
        assert_eq!(raw.annotations.get("-b").map(String::as_str), Some(""));
        assert_eq!(raw.mounts[0].destination, "-/c");
        assert_eq!(raw.linux.devices[0].path, "-/dev/d");
    }

    #[test]
    fn hooks_keep_their_order_within_their_stage() {
        let hook = |path: &str| api::Hook {
            path: path.into(),
            ..Default::default()
        };
        let adjustment = Adjustment::new()
            .hook(HookStage::Poststop, hook("/a"))
            .hook(HookStage::Prestart, hook("/b"))
            .hook(HookStage::Poststop, hook("/c"));
        let hooks = &adjustment.raw().hooks;
        assert_eq!(hooks.prestart, [hook("/b")]);
        assert_eq!(hooks.poststop, [hook("/a"), hook("/c")]);
    }

    #[test]
    fn limits_are_present_even_when_zero() {
        let adjustment = Adjustment::new().cpu_shares(0).pids_limit(0).oom_score_adj(0);
        let linux = &adjustment.raw().linux;
        assert!(linux.resources.cpu.shares.is_some());
        assert!(linux.resources.pids.is_some());
        assert!(linux.oom_score_adj.is_some());
    }

    #[test]
    fn no_change_takes_no_bytes() {
        assert_eq!(Adjustment::new().encoded_len(), 0);
        assert!(Adjustment::new().env("A", "b").encoded_len() > 0);
    }
}
