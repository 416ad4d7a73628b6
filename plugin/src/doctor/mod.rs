//! Examines a node: checks whether it has all that hooks need, in the right state.

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

pub(crate) use examine::{Examination, examine};
pub(crate) use nri::requires_plugin;
