//! Switches NRI on and off in the configuration of the node's runtime.

mod containerd;
mod error;
mod seal;
mod switch;

#[cfg(test)]
mod tests;

pub(crate) use error::RuntimeError;
pub(crate) use switch::{Plan, Target, disable, enable};
