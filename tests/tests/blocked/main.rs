//! The runtime gets its answer in time, even if a file system does not answer. A container that needs the file system
//! is refused, every other one is created, and all goes on when it answers again.

mod cases;
mod daemon;
mod ledger;
mod logs;
mod tools;
