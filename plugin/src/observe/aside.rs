//! Work that may block, on threads of its own: the thread that answers the runtime never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Work of one kind, of which one piece at a time is done: what is stuck keeps one thread and no more.
#[derive(Debug, Default)]
pub(super) struct Aside {
    is_busy: Arc<AtomicBool>,
}

impl Aside {
    /// Has `work` done. Returns whether it was within `limit`; it goes on after that. Nothing is begun if an earlier
    /// piece has not ended.
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

/// Ends when the work does, be it by a panic.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What `work` results in, which now and then blocks; `None` if it panics. Work that is begun is done even if nobody
/// waits for it any more.
pub(super) async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work)).await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_that_is_stuck_is_not_waited_for_and_not_begun_again() {
        let (go_on, stuck) = channel::<()>();
        let of_one_kind = Aside::default();
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
