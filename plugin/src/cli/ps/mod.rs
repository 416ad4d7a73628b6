//! `ps`: the containers that have hooks, and where each stage stands.

mod command;

#[cfg(test)]
mod tests;

pub use command::{PsArgs, ps};
