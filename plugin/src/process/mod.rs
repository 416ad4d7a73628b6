//! The processes of the node, and the control groups that bound them.
#![forbid(unsafe_code)]

pub(crate) mod cgroup;
pub(crate) mod descendants;
mod descriptors;
mod init;
mod list;
mod passing;
mod pidfd;
pub(crate) mod signal;
pub(crate) mod stat;
mod streams;

pub use descriptors::raise_descriptor_limit;
pub(crate) use init::{Init, process};
pub(crate) use list::processes;
pub(crate) use passing::is_passing;
pub(crate) use pidfd::Pidfd;
pub(crate) use streams::detach_from_caller;
