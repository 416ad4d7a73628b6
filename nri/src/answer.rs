//! Getting an answer for the runtime out of a handler: in time, short enough, whatever the handler does.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use protobuf::Message;
use tokio::time::timeout_at;

use crate::adjustment::MAX_MESSAGE;
use crate::context::{ASSUMED_REQUEST_TIMEOUT, Context};
use crate::status::{Code, Status};

/// How long a handler may take, so that its answer is there before the runtime gives up: the time the runtime gave,
/// less a tenth, which is at least 50 ms and at most 250 ms, but never more than half.
pub(crate) fn time_to_answer(timeout_nano: i64) -> Duration {
    let given = match u64::try_from(timeout_nano) {
        Ok(nanos) if nanos > 0 => Duration::from_nanos(nanos),
        _ => ASSUMED_REQUEST_TIMEOUT,
    };
    let margin = (given / 10).clamp(Duration::from_millis(50), Duration::from_millis(250));
    given - margin.min(given / 2)
}

/// Runs a handler to its end, its deadline or its panic. A handler that is ready at once costs no timer.
pub(crate) async fn answer<T, F>(
    method: &'static str,
    ctx: &Context,
    handler: impl FnOnce() -> F + Send,
) -> ttrpc::Result<T>
where
    F: Future<Output = Result<T, Status>> + Send,
{
    // Called inside of the block, a handler that panics before it returns its future is caught as well.
    let handler = AssertUnwindSafe(async { handler().await }).catch_unwind();
    let status = match timeout_at(ctx.deadline.into(), handler).await {
        Ok(Ok(outcome)) => return outcome.map_err(|status| pass_on(method, status)),
        Ok(Err(panic)) => Status::internal(format!(
            "the plugin panicked in {method}: {}",
            panic_text(&*panic)
        )),
        Err(_) => Status::new(
            Code::DeadlineExceeded,
            format!("the plugin had not handled {method} when its time was up"),
        ),
    };
    Err(refuse(method, status))
}

/// The error answer for a status that the plugin chose; the plugin knows best what to log of it.
fn pass_on(method: &'static str, status: Status) -> ttrpc::Error {
    tracing::debug!(method, %status, "answering the runtime with the plugin's error");
    status.into()
}

/// The error answer for a status that the plugin did not choose, which is logged.
pub(crate) fn refuse(method: &'static str, status: Status) -> ttrpc::Error {
    tracing::warn!(method, %status, "answering the runtime with an error");
    status.into()
}

/// What a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// The answer, if it is short enough to travel; else an error, which is.
pub(crate) fn sendable<M: Message>(method: &'static str, answer: M) -> ttrpc::Result<M> {
    let bytes = answer.compute_size();
    if bytes <= MAX_MESSAGE as u64 {
        return Ok(answer);
    }
    let problem = format!(
        "the plugin's answer to {method} has {bytes} bytes; an NRI message has room for {MAX_MESSAGE}"
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
