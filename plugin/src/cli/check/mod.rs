//! `check`: reports every error of hook-specs, by exactly the rules of the daemon, and warns of probable
//! errors.

mod command;
mod gather;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use command::{CheckArgs, check};
