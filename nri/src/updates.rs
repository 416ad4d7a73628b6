//! The answers that change existing containers, and the verdict on the changes of all plugins to a new one.

use crate::api::{self, OptionalValue};
use crate::resources::resource_setters;

/// The update of one container: the resources that it gets from now on.
///
/// ```
/// use containerd_nri::{Update, Updates};
///
/// let updates = Updates::new().update(Update::new("0123abcd").cpuset_cpus("0-3").ignore_failure());
/// assert_eq!(updates.as_slice()[0].container_id, "0123abcd");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Update(api::ContainerUpdate);

impl Update {
    /// An update of the container with this id, which changes nothing yet.
    pub fn new(container_id: impl Into<String>) -> Self {
        Self(api::ContainerUpdate {
            container_id: container_id.into(),
            ..Default::default()
        })
    }

    resource_setters!();

    /// Lets the request continue if this update fails.
    pub fn ignore_failure(mut self) -> Self {
        self.0.ignore_failure = true;
        self
    }

    /// The update as the protocol message.
    pub fn raw(&self) -> &api::ContainerUpdate {
        &self.0
    }

    fn linux_mut(&mut self) -> &mut api::LinuxContainerUpdate {
        self.0.linux.mut_or_insert_default()
    }
}

impl From<Update> for api::ContainerUpdate {
    fn from(update: Update) -> Self {
        update.0
    }
}

/// Updates of containers that exist.
///
/// From [`Plugin::update_container`](crate::Plugin::update_container), one with the id of the container of the event
/// changes the update itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Updates(Vec<api::ContainerUpdate>);

impl Updates {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Updates a container.
    pub fn update(mut self, update: impl Into<api::ContainerUpdate>) -> Self {
        self.0.push(update.into());
        self
    }

    /// The updates as the protocol messages.
    pub fn as_slice(&self) -> &[api::ContainerUpdate] {
        &self.0
    }
}

impl From<Vec<api::ContainerUpdate>> for Updates {
    fn from(updates: Vec<api::ContainerUpdate>) -> Self {
        Self(updates)
    }
}

impl From<Updates> for Vec<api::ContainerUpdate> {
    fn from(updates: Updates) -> Self {
        updates.0
    }
}

impl<U: Into<api::ContainerUpdate>> FromIterator<U> for Updates {
    fn from_iter<I: IntoIterator<Item = U>>(updates: I) -> Self {
        Self(updates.into_iter().map(Into::into).collect())
    }
}

/// The verdict on the changes of all plugins together to a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Verdict {
    /// Let it pass.
    #[default]
    Accept,
    /// Fail the creation of the container.
    Reject {
        /// The reason, for a person to read.
        reason: String,
    },
}

impl Verdict {
    /// Fails the creation of the container for this reason.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject {
            reason: reason.into(),
        }
    }
}

impl From<Verdict> for api::ValidateContainerAdjustmentResponse {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::default(),
            Verdict::Reject { reason } => Self {
                reject: true,
                reason,
                ..Default::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_a_setter() {
        let update = Update::new("id")
            .memory_limit(1)
            .memory_reservation(2)
            .memory_swap_limit(3)
            .memory_kernel_limit(4)
            .memory_kernel_tcp_limit(5)
            .memory_swappiness(6)
            .memory_disable_oom_killer(true)
            .memory_use_hierarchy(false)
            .cpu_shares(7)
            .cpu_quota(8)
            .cpu_period(9)
            .cpu_realtime_runtime(10)
            .cpu_realtime_period(11)
            .cpuset_cpus("0")
            .cpuset_mems("1")
            .pids_limit(12)
            .hugepage_limit("2MB", 13)
            .blockio_class("a")
            .rdt_class("b")
            .unified("c", "d")
            .ignore_failure();
        let raw = update.raw();
        assert!(raw.ignore_failure);
        let resources = &raw.linux.resources;
        let memory = &resources.memory;
        let numbers = [
            &memory.limit,
            &memory.reservation,
            &memory.swap,
            &memory.kernel,
            &memory.kernel_tcp,
        ];
        assert_eq!(numbers.map(OptionalValue::to_option), [1, 2, 3, 4, 5].map(Some));
        assert_eq!(memory.swappiness.to_option(), Some(6));
        assert_eq!(memory.disable_oom_killer.to_option(), Some(true));
        assert_eq!(memory.use_hierarchy.to_option(), Some(false));
        let cpu = &resources.cpu;
        assert_eq!(
            (cpu.shares.to_option(), cpu.quota.to_option()),
            (Some(7), Some(8))
        );
        assert_eq!(
            (cpu.period.to_option(), cpu.realtime_runtime.to_option()),
            (Some(9), Some(10))
        );
        assert_eq!(cpu.realtime_period.to_option(), Some(11));
        assert_eq!((&*cpu.cpus, &*cpu.mems), ("0", "1"));
        assert_eq!(
            (resources.pids.limit, resources.hugepage_limits[0].limit),
            (12, 13)
        );
        assert_eq!(resources.blockio_class.to_option().as_deref(), Some("a"));
        assert_eq!(resources.rdt_class.to_option().as_deref(), Some("b"));
        assert_eq!(resources.unified["c"], "d");
    }
}
