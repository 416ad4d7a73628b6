//! Entering the host from a pod, and leaving the pod.
#![forbid(unsafe_code)]

mod cgroup;
mod error;
mod namespaces;
mod pod;
mod tools;

pub use error::HostError;
pub use namespaces::{enter, enter_mounts};
pub use pod::is_in_pod;
pub use tools::{TOOLS_PATH, search_path};
