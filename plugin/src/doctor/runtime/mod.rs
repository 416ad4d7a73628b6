//! How the node's runtime is configured for NRI.

mod containerd;
mod crio;
mod settings;

pub use settings::{InstalledRuntime, installed_runtime};
pub(super) use settings::{Kind, Settings, find};
