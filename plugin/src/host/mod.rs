//! Entering the host from a pod, and leaving the pod.
#![forbid(unsafe_code)]

mod cgroup;
mod error;
mod namespaces;
mod pod;
mod tools;

pub(crate) use error::HostError;
pub(crate) use namespaces::{enter, enter_mounts};
pub(crate) use pod::is_in_pod;
pub(crate) use tools::{TOOLS_PATH, search_path};
