//! How the node's runtime is configured for NRI.

mod containerd;
mod crio;
mod settings;

pub(super) use settings::{Kind, Settings, find};
