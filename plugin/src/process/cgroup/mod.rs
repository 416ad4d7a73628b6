//! A control group for each hook: a bound that the kernel enforces.
//!
//! The groups are `/sys/fs/cgroup/nri-oci-hooks/NAME` (version 2), or that directory of each hierarchy that
//! is needed (version 1). They are at the top, beside the slices of systemd and of the kubelet, for three
//! reasons. A group of version 2 that limits its children may hold no processes, and all groups in which a
//! runner can start hold some. systemd removes unknown groups from its own, and ignores others. And a hook
//! belongs to the node: no pod is charged for its memory, and it does not end with a pod.

mod group;
mod hierarchies;
mod name;
mod sweep;

#[cfg(test)]
mod tests;

pub(crate) use group::{Entrance, Group};
pub(crate) use name::GroupName;
pub(crate) use sweep::sweep;
