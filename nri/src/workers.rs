//! The threads on which a plugin's code runs, so that the thread of the connection never waits for it.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The maximum number of events in progress. A runtime sends one at a time, so all but one of these are
/// handlers that had not ended when their time was up.
pub(crate) const MAX_HANDLERS: usize = 4;

type Job = Box<dyn FnOnce(&Ending<'_>) + Send>;

/// A call in progress, which its job must end.
pub(crate) struct Ending<'w> {
    shared: &'w Shared,
    id: u64,
}

impl Ending<'_> {
    /// Counts the call as ended. Must be called before its outcome is passed on, because the receiver may
    /// make the next call before this thread gets a processor again.
    pub(crate) fn ended(&self) {
        self.shared.lock().running.retain(|running| running.id != self.id);
    }
}

/// Threads that are started when needed and limited in number. One is kept for the next call; the others end
/// with theirs. No code ever waits for a thread, so a thread that is stuck in the kernel blocks only its own
/// call.
#[derive(Clone, Debug)]
pub(crate) struct Workers(Arc<Owner>);

/// Ends the kept thread, once no caller can have a job for it.
#[derive(Debug)]
struct Owner(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    handed_over: Condvar,
}

#[derive(Default)]
struct State {
    running: Vec<Running>,
    next_id: u64,
    /// Whether a thread waits for a job.
    has_idle: bool,
    /// The job for the thread that waited.
    handed_over: Option<(u64, Job)>,
    is_closed: bool,
}

/// A call in progress.
#[derive(Clone, Copy, Debug)]
struct Running {
    id: u64,
    method: &'static str,
    since: Instant,
}

/// The reason why a call could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The maximum number of calls has not ended.
    #[error("{count} earlier calls have not ended, {method} for {} s", age.as_secs())]
    AllStuck {
        /// Their number.
        count: usize,
        /// The oldest of them.
        method: &'static str,
        /// The time since it began.
        age: Duration,
    },
    /// The system has no thread for it.
    #[error("cannot start a thread: {0}")]
    NoThread(#[from] io::Error),
}

impl Workers {
    /// Without a thread.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Owner(Arc::default())))
    }

    /// Runs a job, which handles `method`, on a thread of its own; returns at once.
    ///
    /// # Errors
    /// [`Refusal`] if `limit` calls are in progress, or the system has no thread for it; the job is dropped.
    pub(crate) fn run(
        &self,
        method: &'static str,
        limit: usize,
        job: impl FnOnce(&Ending<'_>) + Send + 'static,
    ) -> Result<(), Refusal> {
        let Owner(shared) = &*self.0;
        let mut state = shared.lock();
        let since = Instant::now();
        let oldest = state.running.iter().min_by_key(|running| running.since);
        if let Some(oldest) = oldest.filter(|_| state.running.len() >= limit) {
            return Err(Refusal::AllStuck {
                count: state.running.len(),
                method: oldest.method,
                age: since.duration_since(oldest.since),
            });
        }
        let id = state.next_id;
        state.next_id += 1;
        let job: Job = Box::new(job);
        if state.has_idle {
            state.has_idle = false;
            state.handed_over = Some((id, job));
            state.running.push(Running { id, method, since });
            drop(state);
            shared.handed_over.notify_one();
            return Ok(());
        }
        let its_shared = Arc::clone(shared);
        thread::Builder::new()
            .name("nri-plugin".to_owned())
            .spawn(move || work(&its_shared, id, job))?;
        state.running.push(Running { id, method, since });
        Ok(())
    }
}

/// Runs jobs until another thread waits for the next one, or there will be no more jobs.
fn work(shared: &Shared, mut id: u64, mut job: Job) {
    loop {
        // A job catches the panics of the plugin. If one escapes, the state of the threads must stay correct.
        let ending = Ending { shared, id };
        let _ = catch_unwind(AssertUnwindSafe(|| job(&ending)));
        let mut state = shared.lock();
        state.running.retain(|running| running.id != id);
        if state.has_idle || state.is_closed {
            return;
        }
        state.has_idle = true;
        (id, job) = loop {
            if let Some(next) = state.handed_over.take() {
                break next;
            }
            if state.is_closed {
                return;
            }
            state = shared
                .handed_over
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        };
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.handed_over.notify_all();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Runs a job that reports its start and its thread, then waits until the sender is dropped.
    fn hold(workers: &Workers) -> Result<(thread::ThreadId, Sender<()>), Refusal> {
        let (hold, held) = channel::<()>();
        let (begun, has_begun) = channel();
        workers.run("Held", MAX_HANDLERS, move |_| {
            begun.send(thread::current().id()).unwrap();
            let _ = held.recv();
        })?;
        Ok((has_begun.recv().unwrap(), hold))
    }

    /// Runs a job and waits until it is over; returns its thread.
    fn pass(workers: &Workers) -> Result<thread::ThreadId, Refusal> {
        let (ended, end): (Sender<()>, Receiver<()>) = channel();
        let (thread, hold) = hold(workers)?;
        drop(hold);
        drop(ended);
        let _ = end.recv();
        wait_until(workers, |state| state.running.is_empty() && state.has_idle);
        Ok(thread)
    }

    fn wait_until(workers: &Workers, reached: impl Fn(&State) -> bool) {
        while !reached(&workers.0.0.lock()) {
            thread::yield_now();
        }
    }

    #[test]
    fn one_thread_does_jobs_that_come_one_after_the_other() {
        let workers = Workers::new();
        let first = pass(&workers).unwrap();
        for _ in 0..100 {
            assert_eq!(pass(&workers).unwrap(), first);
        }
    }

    #[test]
    fn a_job_that_is_stuck_takes_its_thread_and_the_next_one_gets_another() {
        let workers = Workers::new();
        let (stuck, _hold) = hold(&workers).unwrap();
        let (other, hold) = hold(&workers).unwrap();
        assert_ne!(stuck, other);
        drop(hold);
    }

    #[test]
    fn a_job_too_many_is_refused_by_the_name_of_the_oldest_until_one_ends() {
        let workers = Workers::new();
        let mut holds: Vec<_> = (0..MAX_HANDLERS).map(|_| hold(&workers).unwrap()).collect();
        for _ in 0..100 {
            let refusal = hold(&workers).unwrap_err();
            assert!(
                matches!(refusal, Refusal::AllStuck { method: "Held", .. }),
                "{refusal}"
            );
        }
        holds.pop();
        wait_until(&workers, |state| state.running.len() < MAX_HANDLERS);
        assert!(hold(&workers).is_ok());
    }

    #[test]
    fn a_call_that_has_ended_is_not_counted_though_its_thread_has_no_processor() {
        let workers = Workers::new();
        let (hold, held) = channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..2 * MAX_HANDLERS {
            let (ended, end) = channel();
            let held = held.clone();
            workers
                .run("Ended", MAX_HANDLERS, move |ending| {
                    ending.ended();
                    ended.send(()).unwrap();
                    let _ = held.lock().unwrap().recv();
                })
                .unwrap();
            end.recv().unwrap();
        }
        drop(hold);
    }

    #[test]
    fn a_single_thread_is_kept_after_many_were_stuck() {
        let workers = Workers::new();
        let holds: Vec<_> = (0..MAX_HANDLERS).map(|_| hold(&workers).unwrap()).collect();
        drop(holds);
        wait_until(&workers, |state| state.running.is_empty());
        let kept = pass(&workers).unwrap();
        assert_eq!(pass(&workers).unwrap(), kept);
    }

    #[test]
    fn a_panic_that_escapes_leaves_the_thread_in_order() {
        let workers = Workers::new();
        workers
            .run("Panics", MAX_HANDLERS, |_| panic!("on purpose"))
            .unwrap();
        wait_until(&workers, |state| state.has_idle);
        pass(&workers).unwrap();
    }

    #[test]
    fn threads_end_when_there_can_be_no_further_job() {
        let workers = Workers::new();
        pass(&workers).unwrap();
        let (_, hold) = hold(&workers).unwrap();
        let shared = Arc::downgrade(&workers.0.0);
        drop((workers, hold));
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
