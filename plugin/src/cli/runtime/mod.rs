//! `runtime`: switches NRI on or off in the configuration of the node's runtime.

mod command;
#[cfg(test)]
mod tests;

pub use command::{RuntimeArgs, runtime};
