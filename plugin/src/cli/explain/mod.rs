//! `explain`: which hooks a container would get, and why, by the very selection that the daemon uses.

mod added;
mod command;
mod explanation;
mod subjects;
#[cfg(test)]
mod tests;
mod text;

pub use command::{ExplainArgs, explain};
