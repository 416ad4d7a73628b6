//! The host, for a daemon that lives in a pod of it: entering it, leaving the pod behind, and putting
//! there what the pod has brought along.
#![forbid(unsafe_code)]

mod cgroup;
mod error;
mod mirror;
mod namespaces;
mod program;

pub use error::HostError;
pub use mirror::Mirror;
pub use namespaces::{enter, enter_mounts};
pub use program::Program;

#[cfg(test)]
mod tests;
