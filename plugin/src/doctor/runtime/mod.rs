//! How the node's runtime is configured for NRI.

mod containerd;
mod crio;
mod settings;

pub(crate) use containerd::{NRI, containerd_imports};
#[cfg(test)]
pub(super) use settings::unreadable;
pub use settings::{InstalledRuntime, NotTold, installed_runtime};
pub(super) use settings::{Kind, Settings, find};
