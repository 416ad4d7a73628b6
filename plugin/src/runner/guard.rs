//! Keeps the leftover processes of a successful hook within the hook's limits.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::cgroup::Group;
use crate::process::detach_from_caller;
use crate::system::{close_descriptors_except, fork_child};

/// The interval between checks whether a limit was reached.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The maximum wait for the end of a killed group. A process that the kernel cannot end by then (it waits for
/// a device) has its SIGKILL and ends when it can.
pub(super) const END_TIMEOUT: Duration = Duration::from_millis(500);

/// The group of a hook that has ended, with leftover processes.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) group: Group,
    /// The end of the hook's timeout.
    pub(super) deadline: Instant,
}

/// Forks a child that ends leftover processes in `left` when they multiply up to their limit: a hook may have
/// started that and ended before it reached the limit. The child ends when the hooks' timeouts are over.
pub(super) fn detach(mut left: Vec<Left>) {
    left.retain(|left| !left.group.is_empty());
    if left.is_empty() {
        return;
    }
    // Fails if the kernel cannot start another process: then only the limit protects the node.
    let _ = fork_child(|| {
        // A held start and the stage itself do not wait for this child.
        if close_descriptors_except(&[]).is_err() || detach_from_caller().is_err() {
            return 1;
        }
        while !left.is_empty() {
            left.retain(|left| !is_over(left));
            sleep(POLL_INTERVAL);
        }
        0
    });
}

/// Whether the group needs no more checks.
fn is_over(left: &Left) -> bool {
    if left.group.out_of_processes() > 0 {
        left.group.kill(END_TIMEOUT);
    }
    left.group.remove() || Instant::now() >= left.deadline
}
