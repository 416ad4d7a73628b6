//! Log lines, for people or machines, and their destinations.

mod destination;
mod file;
mod format;
mod journal;
mod line;
mod queue;
mod start;

#[cfg(test)]
mod tests;

pub(crate) use destination::Destination;
pub(super) use queue::dropped_lines;
pub(crate) use start::{LogArgs, flush_logs, start_logs};
