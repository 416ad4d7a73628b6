//! Runs work that may wait for a file system, for callers that must not wait as long.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::trust::access;

/// The interval of checks whether a file system does not answer.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The result of `work`, done on a thread of its own. `None` if it does not end within `limit`, or the node
/// cannot start the thread. The work continues, and its result is dropped.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, done) = sync_channel(1);
    let thread = thread::Builder::new().name("bounded".into());
    // The caller may no longer wait.
    thread.spawn(move || drop(sender.send(work()))).ok()?;
    done.recv_timeout(limit).ok()
}

/// The result of `work`; `None` if it does not end within `limit`, or as soon as any file system does not
/// answer. The work continues.
pub(crate) async fn answered<T>(work: &mut JoinHandle<T>, limit: Duration) -> Option<Result<T, JoinError>> {
    let deadline = Instant::now() + limit;
    loop {
        match timeout(POLL_INTERVAL, &mut *work).await {
            Ok(result) => return Some(result),
            Err(_) if access::is_any_unanswered() || Instant::now() >= deadline => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn stuck_work_is_waited_for_no_longer_than_the_limit() {
        let (go_on, stuck) = channel::<()>();
        assert_eq!(
            within(Duration::from_millis(1), move || stuck.recv().is_ok()),
            None
        );
        drop(go_on);
        assert_eq!(within(Duration::from_secs(30), || 1), Some(1));
    }
}
