//! `ps`: the containers that have hooks, and the status of each stage.

mod command;

#[cfg(test)]
mod tests;

pub(crate) use command::{PsArgs, ps};
