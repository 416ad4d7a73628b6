//! Kubernetes manifests: the parts of their pods that hooks depend on.

mod error;
mod pods;
mod read;
mod restarts;
mod yaml;

#[cfg(test)]
mod tests;

pub use error::ManifestError;
pub use pods::{ContainerKind, ManifestContainer, ManifestPod};
pub use read::{MAX_SIZE, Manifest, read};
pub(crate) use restarts::always_restarts;
