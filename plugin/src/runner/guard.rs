//! What a successful hook has left behind: it stays, as long as it keeps to the hook's limits.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::cgroup::Group;
use crate::process::let_go_of_caller;
use crate::system::{close_descriptors_but, in_a_copy};

/// How often it is looked whether a limit was reached.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long is waited for a killed group to end. A process that the kernel cannot end by then (it waits for
/// a device) has its SIGKILL and ends when it can.
pub(super) const ENDING: Duration = Duration::from_millis(500);

/// The group of a hook that has ended and left processes behind.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) group: Group,
    /// When the hook's time is up.
    pub(super) deadline: Instant,
}

/// Leaves a copy of this process behind that ends what in `left` multiplies until no more can be started: a
/// hook may have begun that and ended before its limit was reached. The copy ends when the hooks' time is up.
pub(super) fn detach(mut left: Vec<Left>) {
    left.retain(|left| !left.group.is_empty());
    if left.is_empty() {
        return;
    }
    // Fails if there is no room for another process: then the limit is all there is.
    let _ = in_a_copy(|| {
        // A start at the gate and the stage itself are over without this.
        if close_descriptors_but(&[]).is_err() || let_go_of_caller().is_err() {
            return 1;
        }
        while !left.is_empty() {
            left.retain(|left| !is_over(left));
            sleep(POLL_INTERVAL);
        }
        0
    });
}

/// Whether nothing is to be done about it any more.
fn is_over(left: &Left) -> bool {
    if left.group.out_of_processes() > 0 {
        left.group.kill(ENDING);
    }
    left.group.remove() || Instant::now() >= left.deadline
}
