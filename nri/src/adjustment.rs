//! The changes of a plugin to a container that is being created.

use protobuf::{Message, MessageField};

use crate::api::{self, OptionalValue};
use crate::frame::MAX_BODY;
use crate::resources::resource_setters;

/// The longest answer, in bytes, that can be sent to the runtime: ttrpc's limit, less its envelope.
pub const MAX_MESSAGE: usize = MAX_BODY - 16;

/// A mark that makes NRI remove the entry it stands before.
fn removed(key: impl Into<String>) -> String {
    format!("-{}", key.into())
}

/// An OCI hook stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
/// A method takes one value, a key with its value, or a message of [`api`], whose fields have names. Each sets one thing.
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

    /// Sets the command line of the container, which no earlier plugin may have set (NRI 0.10).
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.raw_mut().args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the command line of the container, also if an earlier plugin has set it (NRI 0.10).
    pub fn replace_args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        let args = args.into_iter().map(Into::into);
        self.raw_mut().args = std::iter::once(String::new()).chain(args).collect();
        self
    }

    /// Sets a resource limit of the init process (NRI 0.4).
    pub fn rlimit(mut self, limit: api::POSIXRlimit) -> Self {
        self.raw_mut().rlimits.push(limit);
        self
    }

    /// Sets the OOM score adjustment, −1000 to 1000 (NRI 0.7). By the score, the kernel selects processes to
    /// kill when memory runs out.
    pub fn oom_score_adj(mut self, score: i64) -> Self {
        self.linux_mut().oom_score_adj = OptionalValue::of(score);
        self
    }

    /// Sets a namespace: to a new one, or to that of a file (NRI 0.10). The kind is that of the OCI runtime-spec, for
    /// instance `network`.
    pub fn namespace(mut self, kind: impl Into<String>, path: impl Into<String>) -> Self {
        self.linux_mut().namespaces.push(api::LinuxNamespace {
            type_: kind.into(),
            path: path.into(),
            ..Default::default()
        });
        self
    }

    /// Removes a namespace, so that the container shares that of the host (NRI 0.10).
    pub fn remove_namespace(self, kind: impl Into<String>) -> Self {
        self.namespace(removed(kind), "")
    }

    /// Sets a kernel parameter (NRI 0.11).
    pub fn sysctl(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.linux_mut().sysctl.insert(name.into(), value.into());
        self
    }

    /// Removes a kernel parameter (NRI 0.11).
    pub fn remove_sysctl(self, name: impl Into<String>) -> Self {
        self.sysctl(removed(name), "")
    }

    /// Moves a network device of the host into the container, where it may have another name (NRI 0.11).
    pub fn net_device(mut self, host_name: impl Into<String>, device: api::LinuxNetDevice) -> Self {
        self.linux_mut().net_devices.insert(host_name.into(), device);
        self
    }

    /// Leaves a network device on the host (NRI 0.11).
    pub fn remove_net_device(self, host_name: impl Into<String>) -> Self {
        self.net_device(removed(host_name), api::LinuxNetDevice::default())
    }

    /// Sets the I/O priority of the init process: a class, and in it 0 (highest) to 7 (NRI 0.10).
    pub fn io_priority(mut self, class: api::IOPrioClass, priority: i32) -> Self {
        self.linux_mut().io_priority = MessageField::some(api::LinuxIOPriority {
            class: class.into(),
            priority,
            ..Default::default()
        });
        self
    }

    /// Sets the seccomp policy (NRI 0.10).
    pub fn seccomp_policy(mut self, policy: api::LinuxSeccomp) -> Self {
        self.linux_mut().seccomp_policy = MessageField::some(policy);
        self
    }

    /// Sets the scheduling attributes of the init process (NRI 0.11).
    pub fn scheduler(mut self, scheduler: api::LinuxScheduler) -> Self {
        self.linux_mut().scheduler = MessageField::some(scheduler);
        self
    }

    /// Sets the class of service of RDT (NRI 0.11).
    pub fn rdt_clos_id(mut self, id: impl Into<String>) -> Self {
        self.rdt_mut().clos_id = OptionalValue::of(id.into());
        self
    }

    /// Sets the lines of RDT's schemata (NRI 0.11).
    pub fn rdt_schemata<I: IntoIterator<Item: Into<String>>>(mut self, lines: I) -> Self {
        self.rdt_mut().schemata = OptionalValue::of(lines.into_iter().map(Into::into).collect());
        self
    }

    /// Sets whether RDT monitors the container in a group of its own (NRI 0.11).
    pub fn rdt_enable_monitoring(mut self, enable: bool) -> Self {
        self.rdt_mut().enable_monitoring = OptionalValue::of(enable);
        self
    }

    /// Removes all RDT settings (NRI 0.11).
    pub fn remove_rdt(mut self) -> Self {
        self.rdt_mut().remove = true;
        self
    }

    /// Sets the NUMA memory policy: its mode, nodes such as `0-1`, and flags (NRI 0.12).
    pub fn memory_policy<I>(mut self, mode: api::MpolMode, nodes: impl Into<String>, flags: I) -> Self
    where
        I: IntoIterator<Item = api::MpolFlag>,
    {
        self.linux_mut().memory_policy = MessageField::some(api::LinuxMemoryPolicy {
            mode: mode.into(),
            nodes: nodes.into(),
            flags: flags.into_iter().map(Into::into).collect(),
            ..Default::default()
        });
        self
    }

    /// Sets the cgroup of the container.
    pub fn cgroups_path(mut self, path: impl Into<String>) -> Self {
        self.linux_mut().cgroups_path = path.into();
        self
    }

    resource_setters!();

    /// Updates another container.
    pub fn update(mut self, update: impl Into<api::ContainerUpdate>) -> Self {
        self.0.update.push(update.into());
        self
    }

    /// The changes to the container as the protocol message.
    pub fn raw(&self) -> &api::ContainerAdjustment {
        self.0.adjust.get_or_default()
    }

    /// The changes to the container as the protocol message, for fields without a method here.
    pub fn raw_mut(&mut self) -> &mut api::ContainerAdjustment {
        self.0.adjust.mut_or_insert_default()
    }

    /// The length of this answer in bytes. An answer of more than [`MAX_MESSAGE`] cannot be sent, and the
    /// runtime gets an error in its place, which fails the creation.
    pub fn encoded_len(&self) -> usize {
        usize::try_from(self.0.compute_size()).unwrap_or(usize::MAX)
    }

    fn rdt_mut(&mut self) -> &mut api::LinuxRdt {
        self.linux_mut().rdt.mut_or_insert_default()
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

#[cfg(test)]
mod tests;
