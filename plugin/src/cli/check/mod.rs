//! `check`: tells every error of hook-specs, by exactly the rules that the daemon goes by, and
//! warns of what is hardly meant.

mod command;
mod gather;
mod report;
#[cfg(test)]
mod tests;

pub use command::{CheckArgs, check};
