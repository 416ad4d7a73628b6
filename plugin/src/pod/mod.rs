//! What a daemon that lives in a pod brings to its host: its program, to run hooks, and the files of a
//! ConfigMap.
#![forbid(unsafe_code)]

mod check;
mod error;
mod host_unit;
mod mirror;
mod program;
mod refused;
mod required;
mod stand_in;
mod systemd;
mod unit_error;
mod version;

pub use error::PodError;
pub use host_unit::{HostUnit, Needed};
pub use mirror::{Kept, Mirror};
pub use program::Program;
pub use refused::refused_in;
pub use required::{Required, require};
pub use stand_in::StandIn;
pub use unit_error::UnitError;

/// Whether this process is in a pod, or was started in one: the kubelet tells every container where the API server is.
pub fn is_in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

#[cfg(test)]
mod tests;
