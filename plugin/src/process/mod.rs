//! Processes of the node, and the control groups that bound them.
#![forbid(unsafe_code)]

pub(crate) mod cgroup;
mod limits;
pub(crate) mod signal;
pub(crate) mod stat;

pub use limits::HookLimits;
