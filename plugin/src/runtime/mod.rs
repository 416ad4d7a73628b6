//! Switches NRI on and off in the configuration of the node's runtime.

mod containerd;
mod error;
mod seal;
mod switch;

#[cfg(test)]
mod tests;

pub use error::RuntimeError;
pub use switch::{Change, Plan, Target, disable, enable};
