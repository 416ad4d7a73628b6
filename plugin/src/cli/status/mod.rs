//! `status`: what the daemon says of itself.

mod command;
#[cfg(test)]
mod tests;

pub use command::{StatusArgs, status};
