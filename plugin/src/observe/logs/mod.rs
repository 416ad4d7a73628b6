//! Log lines: for people or machines, to wherever somebody reads them.

mod destination;
mod file;
mod start;
mod syslog;

pub use destination::Destination;
pub use start::{LogArgs, LogFormat, start_logs};
