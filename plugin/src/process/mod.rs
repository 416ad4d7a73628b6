//! Processes of the node, and the control groups that bound them.
#![forbid(unsafe_code)]

pub(crate) mod cgroup;
mod limits;
pub(crate) mod signal;
pub(crate) mod stat;
mod streams;

pub use limits::HookLimits;
pub(crate) use streams::let_go_of_caller;
