//! The limit of open descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The maximum that the daemon needs: one for each init that it watches, on the largest nodes.
const MAX: u64 = 65_536;

/// Raises the limit of this process to what it may have, at most 65,536. Pods and services often start with 1,024.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(MAX, |maximum| maximum.min(MAX));
    if limit.current.is_some_and(|now| now < current) {
        // A process may always raise it that far. If not, the limit of before stays.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                maximum: limit.maximum,
            },
        );
    }
}
