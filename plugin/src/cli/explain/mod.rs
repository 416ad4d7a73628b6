//! `explain`: shows which hooks a container would get, and why, by the selection of the daemon itself.

mod added;
mod command;
mod explanation;
mod subjects;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use command::{ExplainArgs, explain};
