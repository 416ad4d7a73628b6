//! The deadline of a request, counted from its arrival at the socket.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use ttrpc::r#async::TtrpcContext;

use crate::answer::time_to_answer;
use crate::context::RECEIVED_AT;

/// The time by which a request must be answered.
pub(super) fn deadline(rpc: &TtrpcContext) -> Instant {
    let (now, limit) = (Instant::now(), time_to_answer(rpc.timeout_nano));
    let received_at = rpc.metadata.get(RECEIVED_AT).and_then(|values| values.first());
    let age = received_at.and_then(|nanos| {
        let uptime = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?);
        Some(uptime.saturating_sub(Duration::from_nanos(nanos.parse().ok()?)))
    });
    now + limit.saturating_sub(age.unwrap_or_default())
}
