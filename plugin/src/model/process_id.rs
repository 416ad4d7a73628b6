//! What tells a process from every other.

use serde::{Deserialize, Serialize};

/// One process and no other: a number alone is given again to another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number, as the host counts.
    pub pid: i32,
    /// When it began, in clock ticks since boot (proc_pid_stat(5), field 22).
    pub started: u64,
}

/// The file that a process executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}
