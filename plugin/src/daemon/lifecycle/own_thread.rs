//! A thread with a runtime of its own, for work that may block on the ledger's file system.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A thread that does its tasks concurrently, until this is dropped. A task that blocks it blocks no other
/// thread.
#[derive(Debug)]
pub(super) struct OwnThread {
    handle: Handle,
    _end: oneshot::Sender<()>,
}

impl OwnThread {
    /// Starts it.
    ///
    /// # Errors
    /// The kernel refuses another thread.
    pub(super) fn new() -> io::Result<OwnThread> {
        let (end, ended) = oneshot::channel::<()>();
        let (sender, started) = mpsc::channel();
        let name = thread::Builder::new().name("containers".into());
        name.spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(sender.send(Err(error))),
            };
            // The function that started the thread is waiting.
            let _ = sender.send(Ok(runtime.handle().clone()));
            runtime.block_on(async {
                // Ready when the sender is dropped.
                let _ = ended.await;
            });
            runtime.shutdown_background();
        })?;
        let handle = started
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("it ended at once")))?;
        Ok(OwnThread { handle, _end: end })
    }

    /// Runs `work` on the thread.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(work)
    }
}
