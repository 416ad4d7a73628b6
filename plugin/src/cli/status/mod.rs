//! `status`: the daemon's report about itself.

mod command;
mod newer;
#[cfg(test)]
mod tests;

pub(crate) use command::{StatusArgs, status};
