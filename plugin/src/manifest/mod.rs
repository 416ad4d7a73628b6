//! Kubernetes manifests: the parts of their pods that hooks depend on.

mod error;
mod pods;
mod read;
mod restarts;
mod yaml;

#[cfg(test)]
mod tests;

pub(crate) use error::ManifestError;
pub(crate) use pods::{ContainerKind, ManifestContainer, ManifestPod};
pub use read::read;
pub(crate) use read::{MAX_SIZE, Manifest};
pub(crate) use restarts::always_restarts;
