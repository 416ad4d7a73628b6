//! Examining a node: is everything there that hooks need, and is it as it should be?

mod cgroups;
mod daemon;
mod examine;
mod files;
mod nri;
mod plugins;
mod restart;
mod unit;

#[cfg(test)]
mod tests;

pub use examine::{Examination, examine};
pub(crate) use nri::requires_plugin;
