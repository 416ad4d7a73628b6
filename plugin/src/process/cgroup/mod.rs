//! A control group per hook: a bound that the kernel keeps.
//!
//! The groups are `/sys/fs/cgroup/nri-oci-hooks/NAME` (version 2), or that directory of each hierarchy that is
//! needed (version 1). They are at the top, beside the slices of systemd and of the kubelet and not inside of
//! them, for three reasons. A group of version 2 that limits what is below it may hold no processes, and those
//! that the runner can come from all do. systemd removes what it does not know from its own groups, and leaves
//! others alone. And a hook is the node's, so no pod pays for its memory and none is ended with it.

mod group;
mod hierarchies;
mod name;
mod sweep;

#[cfg(test)]
mod tests;

pub(crate) use group::{Entrance, Group};
pub(crate) use name::GroupName;
pub(crate) use sweep::sweep;
