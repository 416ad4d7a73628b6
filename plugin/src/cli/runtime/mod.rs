//! `runtime`: switches NRI on or off in the configuration of the node's runtime.

mod command;
#[cfg(test)]
mod tests;

pub(crate) use command::{RuntimeArgs, runtime};
