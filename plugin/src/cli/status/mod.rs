//! `status`: what the daemon says of itself.

mod command;
mod newer;
#[cfg(test)]
mod tests;

pub use command::{StatusArgs, status};
