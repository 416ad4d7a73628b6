//! Examining a node: is everything there that hooks need, and is it as it should be?

mod cgroups;
mod daemon;
mod examine;
mod files;
mod finding;
mod node;
mod nri;
mod plugins;
mod required;
mod resolve;
mod restart;
mod runtime;
mod unit;

#[cfg(test)]
mod tests;

pub use examine::{Examination, examine};
pub use finding::{Finding, Level};
pub use node::Node;
pub(crate) use nri::requires_plugin;
pub(crate) use required::{RequiredDropIn, required_drop_ins};
pub use runtime::{InstalledRuntime, NotTold, installed_runtime};
pub(crate) use runtime::{NRI, containerd_imports};
