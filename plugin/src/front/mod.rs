//! The process that holds the connection to the runtime while daemons start and end.
//!
//! It reads and writes whole messages between the two, answers in place of a silent daemon, and starts the
//! next one. It opens no file, writes no log, and has one thread.

mod absent;
mod control;
mod daemon;
mod event_loop;
mod handover;
mod link;
mod manager;
mod mounts;
mod relay;
mod rpc;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use control::{Registrations, Report};
pub use event_loop::{is_front, main};
pub(crate) use link::{Link, link};
