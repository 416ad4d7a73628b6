//! A real containerd of a chosen version, private to its node.

mod builder;
mod config;
mod instance;
mod network;
mod version;

pub use builder::Builder;
pub use config::OTHER_HANDLER;
pub use instance::Containerd;
pub use version::{OciRuntime, Version};
