//! `status`: what the daemon says of itself.

mod ask;
mod command;
#[cfg(test)]
mod tests;

pub use ask::{AskError, ask};
pub use command::{StatusArgs, status};
