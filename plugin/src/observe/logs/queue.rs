//! A bounded queue before a log destination: a destination that blocks holds only its own thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The maximum number of waiting lines.
const MAX_LINES: usize = 1024;

/// The maximum number of their bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The maximum wait until the destination is open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// The thread calls no deep functions.
const STACK: usize = 128 * 1024;

/// The number of dropped lines since the process began.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The number of lines that were dropped because their destination did not accept them.
pub(in crate::observe) fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The sending end of the queue. Never blocks: a line without space is dropped and counted.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    sender: Sender<Message>,
    bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Answered after all lines before it are written.
    Flush(SyncSender<()>),
}

impl Queue {
    /// A queue before the destination that `open` returns, which gets each line in one call. Both are called
    /// on a thread of their own; if the destination is not open within a second, lines wait for it.
    ///
    /// # Errors
    /// It cannot be opened, or the thread cannot be started.
    pub(super) fn before<S>(open: impl FnOnce() -> io::Result<S> + Send + 'static) -> io::Result<Queue>
    where
        S: FnMut(&[u8]) -> io::Result<()> + 'static,
    {
        let (sender, mut receiver) = channel(MAX_LINES);
        let (is_open, opened) = sync_channel(1);
        let bytes = Arc::new(AtomicUsize::new(0));
        let queued = bytes.clone();
        let work = move || match open() {
            Ok(sink) => {
                // The caller may no longer wait.
                let _ = is_open.send(Ok(()));
                write_all(&mut receiver, &queued, sink);
            }
            Err(error) => drop(is_open.send(Err(error))),
        };
        thread::Builder::new()
            .name("log".into())
            .stack_size(STACK)
            .spawn(work)?;
        match opened.recv_timeout(OPEN_TIMEOUT) {
            Ok(Err(error)) => Err(error),
            _ => Ok(Queue { sender, bytes }),
        }
    }

    /// Adds a line.
    pub(super) fn push(&self, line: Vec<u8>) {
        let length = line.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before + length > MAX_BYTES || self.sender.try_send(Message::Line(line)).is_err() {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines so far are written, or `limit` has passed.
    pub(super) fn flush(&self, limit: Duration) {
        let (done, written) = sync_channel(1);
        if self.sender.try_send(Message::Flush(done)).is_ok() {
            // After a timeout, nothing more can be done.
            let _ = written.recv_timeout(limit);
        }
    }
}

fn write_all(
    lines: &mut Receiver<Message>,
    queued: &AtomicUsize,
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) {
    let mut reported = 0;
    while let Some(message) = lines.blocking_recv() {
        let line = match message {
            Message::Line(line) => line,
            Message::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let written = sink(&line);
        queued.fetch_sub(line.len(), Ordering::Relaxed);
        if written.is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let dropped = dropped_lines();
        if dropped > reported {
            // Through the queue, like any line: there is space for it now.
            tracing::warn!(
                lines = dropped - reported,
                "log lines were dropped: their destination did not accept them in time"
            );
            reported = dropped;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Makes the tests that count dropped lines run one at a time.
    static COUNTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

    fn before(mut sink: impl FnMut(&[u8]) + Send + 'static) -> Queue {
        let open = move || {
            Ok(move |line: &[u8]| {
                sink(line);
                Ok(())
            })
        };
        Queue::before(open).unwrap()
    }

    #[test]
    fn a_destination_that_cannot_be_opened_is_an_error() {
        let open = || Err::<fn(&[u8]) -> io::Result<()>, _>(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(Queue::before(open).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn lines_are_written_in_order_and_each_in_one_call() {
        let (sink, written) = channel();
        let queue = before(move |line| sink.send(line.to_vec()).unwrap());
        for line in ["one\n", "two\n"] {
            queue.push(line.as_bytes().to_vec());
        }
        queue.flush(Duration::from_secs(30));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one\n", b"two\n"]);
    }

    #[test]
    fn a_destination_that_blocks_blocks_no_thread_and_dropped_lines_are_counted() {
        let _one_at_a_time = COUNTING.lock();
        let (go_on, blocked) = channel::<()>();
        let (sink, written) = channel();
        let queue = before(move |line| {
            // Blocks until the other end, which the test holds, is dropped.
            let _ = blocked.recv();
            sink.send(line.len()).unwrap();
        });
        let before = dropped_lines();
        for _ in 0..MAX_LINES + 10 {
            queue.push(b"x".to_vec());
        }
        // The destination may have one already.
        let dropped = dropped_lines() - before;
        assert!((9..=10).contains(&dropped), "{dropped}");
        queue.flush(Duration::ZERO);
        drop(go_on);
        assert_eq!(
            written.iter().take(MAX_LINES).count(),
            MAX_LINES,
            "the others are not lost"
        );
    }

    #[test]
    fn the_memory_of_waiting_lines_is_bounded() {
        let _one_at_a_time = COUNTING.lock();
        let (go_on, blocked) = channel::<()>();
        let queue = before(move |_| {
            let _ = blocked.recv();
        });
        let before = dropped_lines();
        for _ in 0..5 {
            queue.push(vec![0; MAX_BYTES / 4]);
        }
        assert_eq!(dropped_lines() - before, 1);
        drop(go_on);
    }
}
