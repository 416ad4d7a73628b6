//! The identity of a process and of its program.

use serde::{Deserialize, Serialize};

/// The identity of one process. The number alone is not enough: the kernel uses it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number in the pid namespace of the host.
    pub pid: i32,
    /// Its start time, in clock ticks since boot (proc_pid_stat(5), field 22).
    pub started: u64,
}

/// The file that a process executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The device of the file.
    pub(crate) device: u64,
    /// The inode of the file.
    pub(crate) inode: u64,
}
