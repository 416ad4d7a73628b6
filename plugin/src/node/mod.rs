//! The container runtimes of a node, as its files describe them: their configuration for NRI, and their
//! required plugins.
#![forbid(unsafe_code)]

mod containerd;
mod crio;
mod finding;
mod required;
mod resolve;
mod root;
mod settings;

pub(crate) use containerd::{NRI, containerd_imports};
pub(crate) use finding::{Finding, Level};
pub(crate) use required::{RequiredDropIn, required_drop_ins};
pub(crate) use root::Node;
pub(crate) use root::Version;
#[cfg(test)]
pub(crate) use settings::unreadable;
pub(crate) use settings::{InstalledRuntime, UnknownRuntime, installed_runtime};
pub(crate) use settings::{Kind, Settings, find};
