//! Produces an answer for the runtime from a handler: in time and short enough, even if the handler blocks or
//! panics.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{AbortHandle, Abortable};
use protobuf::Message;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout_at;
use tracing::{Span, dispatcher};

use crate::adjustment::MAX_MESSAGE;
use crate::context::{ASSUMED_REQUEST_TIMEOUT, Context};
use crate::status::{Code, Status};
use crate::workers::{Ending, MAX_HANDLERS, Refusal, Workers};

/// The time limit of a handler, so that its answer arrives before the runtime gives up. It is the runtime's
/// limit less a tenth; the tenth is at least 50 ms and at most 250 ms, but never more than half.
pub(crate) fn time_to_answer(timeout_nano: i64) -> Duration {
    let given = match u64::try_from(timeout_nano) {
        Ok(nanos) if nanos > 0 => Duration::from_nanos(nanos),
        _ => ASSUMED_REQUEST_TIMEOUT,
    };
    let margin = (given / 10).clamp(Duration::from_millis(50), Duration::from_millis(250));
    given - margin.min(given / 2)
}

/// The handlers of one connection: each runs on a thread of the plugin's, while the connection keeps its deadline.
pub(crate) struct Handlers<P> {
    plugin: Arc<P>,
    workers: Workers,
    /// Every running handler holds one; see [`Handlers::new`].
    alive: mpsc::Sender<Infallible>,
}

impl<P: Send + Sync + 'static> Handlers<P> {
    /// Handlers on these threads. The receiver is closed when they and all running handlers are gone.
    pub(crate) fn new(plugin: Arc<P>, workers: Workers) -> (Self, mpsc::Receiver<Infallible>) {
        let (alive, gone) = mpsc::channel(1);
        let handlers = Self {
            plugin,
            workers,
            alive,
        };
        (handlers, gone)
    }

    /// Runs a handler to its end, its deadline or its panic; see [`call`].
    pub(crate) async fn answer<T, H>(
        &self,
        method: &'static str,
        ctx: Context,
        handler: H,
    ) -> ttrpc::Result<T>
    where
        T: Send + 'static,
        H: AsyncFnOnce(&P, &Context) -> Result<T, Status> + Send + 'static,
    {
        let (deadline, alive) = (ctx.deadline, self.alive.clone());
        if ctx.remaining().is_zero() {
            let problem = format!("{method} arrived after its deadline, and was answered for the plugin");
            return Err(refuse(method, Status::new(Code::DeadlineExceeded, problem)));
        }
        let handler = async move |plugin: Arc<P>| {
            let _alive = alive;
            handler(&plugin, &ctx).await
        };
        let plugin = Arc::clone(&self.plugin);
        let status = match call(&self.workers, MAX_HANDLERS, plugin, method, deadline, handler).await {
            Called::Ended(outcome) => return outcome.map_err(|status| pass_on(method, status)),
            Called::Panicked(text) => Status::internal(format!("the plugin panicked in {method}: {text}")),
            Called::TimedOut => Status::new(
                Code::DeadlineExceeded,
                format!("the plugin did not handle {method} before its deadline"),
            ),
            Called::Refused(refusal) => Status::new(
                Code::ResourceExhausted,
                format!("the plugin cannot handle {method}: {refusal}"),
            ),
        };
        Err(refuse(method, status))
    }
}

/// Calls a plugin on one of the threads, of which at most `limit` may be busy, until `deadline`.
///
/// At the deadline, and when this future is dropped, the callee is dropped at its next `await`. If it blocks
/// its thread, it keeps the thread until it ends, and its result is dropped.
pub(crate) async fn call<P, T, C>(
    workers: &Workers,
    limit: usize,
    plugin: Arc<P>,
    method: &'static str,
    deadline: Instant,
    callee: C,
) -> Called<T>
where
    P: Send + Sync + 'static,
    T: Send + 'static,
    C: AsyncFnOnce(Arc<P>) -> T + Send + 'static,
{
    let (sender, mut receiver) = oneshot::channel();
    let (abort, registration) = AbortHandle::new_pair();
    let (runtime, span) = (Handle::current(), Span::current());
    let dispatch = dispatcher::get_default(Clone::clone);
    let job = move |ending: &Ending<'_>| {
        // Called inside of the block, a callee that panics before it returns its future is caught as well.
        let outcome = AssertUnwindSafe(async { callee(plugin).await }).catch_unwind();
        let Ok(outcome) = runtime.block_on(Abortable::new(outcome, registration)) else {
            return;
        };
        let outcome = outcome.map_err(|panic| panic_text(&*panic).to_owned());
        ending.ended();
        if sender.send(outcome).is_err() {
            let overdue = deadline.elapsed();
            tracing::warn!(
                method,
                ?overdue,
                "the plugin answered after the deadline; its answer is dropped"
            );
        }
    };
    let job = move |ending: &Ending<'_>| {
        dispatcher::with_default(&dispatch, || span.in_scope(|| job(ending)));
    };
    if let Err(refusal) = workers.run(method, limit, job) {
        return Called::Refused(refusal);
    }
    let _abort = AbortOnDrop(abort);
    let outcome = match at_once(&mut receiver) {
        Some(outcome) => outcome,
        None => match timeout_at(deadline.into(), receiver).await {
            Ok(outcome) => outcome.ok(),
            Err(_) => return Called::TimedOut,
        },
    };
    match outcome {
        Some(Ok(outcome)) => Called::Ended(outcome),
        Some(Err(text)) => Called::Panicked(text),
        // It panicked while it was dropped.
        None => Called::Panicked("no message".to_owned()),
    }
}

/// The time to poll for an outcome before the thread sleeps. Most outcomes arrive within that time, and sleep
/// and wake-up cost more than the rest of a call.
const SPIN_LIMIT: Duration = Duration::from_micros(100);

/// The outcome, if it arrives almost at once; the inner option is `None` if there will be none.
fn at_once<T>(receiver: &mut oneshot::Receiver<T>) -> Option<Option<T>> {
    let until = Instant::now() + SPIN_LIMIT;
    loop {
        match receiver.try_recv() {
            Ok(outcome) => return Some(Some(outcome)),
            Err(TryRecvError::Closed) => return Some(None),
            Err(TryRecvError::Empty) if Instant::now() < until => thread::yield_now(),
            Err(TryRecvError::Empty) => return None,
        }
    }
}

/// How a call of the plugin ended.
pub(crate) enum Called<T> {
    /// It ended in time.
    Ended(T),
    /// It panicked with this message.
    Panicked(String),
    /// It did not end in time.
    TimedOut,
    /// It was not made.
    Refused(Refusal),
}

/// Has a handler dropped at its next `await`.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error answer for a status from the plugin, logged only at the debug level: the plugin knows best how
/// to log it.
fn pass_on(method: &'static str, status: Status) -> ttrpc::Error {
    tracing::debug!(method, %status, "answering the runtime with the plugin's error");
    status.into_rpc()
}

/// The error answer for a status from this crate, logged as a warning.
pub(crate) fn refuse(method: &'static str, status: Status) -> ttrpc::Error {
    tracing::warn!(method, %status, "answering the runtime with an error");
    status.into_rpc()
}

/// The message of a panic.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// The answer, if it is short enough to be sent; else an error, which is.
pub(crate) fn sendable<M: Message>(method: &'static str, answer: M) -> ttrpc::Result<M> {
    let bytes = answer.compute_size();
    if bytes <= MAX_MESSAGE as u64 {
        return Ok(answer);
    }
    let problem = format!(
        "the plugin's answer to {method} has {bytes} bytes; an NRI message has at most {MAX_MESSAGE}"
    );
    Err(refuse(method, Status::new(Code::ResourceExhausted, problem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_time_is_kept_back_between_50_and_250_ms_and_never_over_half() {
        for (given, left) in [
            (20, 10),
            (100, 50),
            (300, 250),
            (1000, 900),
            (2000, 1800),
            (10_000, 9750),
        ] {
            let nanos = i64::from(given) * 1_000_000;
            assert_eq!(
                time_to_answer(nanos),
                Duration::from_millis(left),
                "of {given} ms"
            );
        }
    }

    #[test]
    fn without_a_limit_two_seconds_are_assumed() {
        for nanos in [0, -1, i64::MIN] {
            assert_eq!(time_to_answer(nanos), Duration::from_millis(1800));
        }
        assert!(time_to_answer(i64::MAX) > Duration::from_secs(1 << 30));
    }
}
