//! Runs work that may block, on separate threads: the thread that answers the runtime never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Work of one kind, done one piece at a time: stuck work holds only one thread.
#[derive(Debug, Default)]
pub(super) struct BackgroundTask {
    is_busy: Arc<AtomicBool>,
}

impl BackgroundTask {
    /// Starts `work`. Returns whether it ended within `limit`; it continues after that. Nothing is started if
    /// an earlier piece has not ended.
    pub(super) async fn is_done_within(&self, limit: Duration, work: impl FnOnce() + Send + 'static) -> bool {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return false;
        }
        let busy = Busy(self.is_busy.clone());
        let done = spawn_blocking(move || {
            let _busy = busy;
            work();
        });
        matches!(timeout(limit, done).await, Ok(Ok(())))
    }
}

/// Marks the work as ended when it is dropped, also by a panic.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The result of `work`, which may block; `None` if it panics. Started work is completed even if its caller
/// no longer waits.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work)).await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn stuck_work_is_not_waited_for_and_not_started_again() {
        let (go_on, stuck) = channel::<()>();
        let of_one_kind = BackgroundTask::default();
        let begin = |limit| of_one_kind.is_done_within(limit, || ());
        let stuck = move || {
            let _ = stuck.recv();
        };
        assert!(!of_one_kind.is_done_within(Duration::from_millis(1), stuck).await);
        assert!(!begin(Duration::from_secs(30)).await);
        drop(go_on);
        while !begin(Duration::from_secs(30)).await {
            tokio::task::yield_now().await;
        }
    }
}
