//! The private machine that a runtime under test lives on: a directory, and namespaces for mounts and processes.

mod host;
mod keeper;
mod process;

pub use host::{Host, say_not_tested};
pub use keeper::Node;
pub use process::{Frozen, Log, Process};
