//! Detects that the thread that answers the runtime has not run for a while: then a request may have waited.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Endpoint, Observer};
use crate::front;

/// The interval of the thread's beats.
const INTERVAL: Duration = Duration::from_millis(500);

/// The minimum length of a stall that is logged.
const MIN_STALL: Duration = Duration::from_secs(1);

/// The time after a stall in which requests are read that came during it.
const BACKLOG: Duration = Duration::from_millis(250);

/// The last beat of the thread, and its stalls.
#[derive(Debug, Default)]
pub(super) struct StallDetector(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    stall: Option<Stall>,
}

#[derive(Debug, Clone, Copy)]
struct Stall {
    length: Duration,
    end: Instant,
}

impl StallDetector {
    /// The thread runs at `now`. Returns the length of its stall, if that is long enough to be logged.
    fn beat(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let stall = state.stall_until(now);
        if stall.is_some() {
            state.stall = stall;
        }
        state.last = Some(now);
        stall.map(|stall| stall.length)
    }

    /// The time that an event may have waited that is handled from `begin` to `end`: the length of a stall
    /// before or during it; `None` if there was none.
    pub(super) fn waited(&self, begin: Instant, end: Instant) -> Option<Duration> {
        let state = self.state();
        let stall = state.stall_until(end).or(state.stall)?;
        (stall.end + BACKLOG >= begin).then_some(stall.length)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The stall that only `now` has ended.
    fn stall_until(&self, now: Instant) -> Option<Stall> {
        let length = now.saturating_duration_since(self.last?);
        (length >= INTERVAL + MIN_STALL).then_some(Stall { length, end: now })
    }
}

/// Beats forever, and logs stalls.
pub(crate) async fn detect_stalls(observer: Arc<Observer>, endpoint: Arc<Endpoint>) {
    loop {
        if let Some(stall) = observer.stalls().beat(Instant::now()) {
            let milliseconds = stall.as_millis();
            tracing::warn!(
                milliseconds,
                "the daemon did not run for this long: the runtime may not have waited for its answers"
            );
        }
        endpoint.beat();
        if let Some(link) = front::link() {
            // The kernel buffers messages to a front that hangs.
            let _ = link.alive();
        }
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_thread_that_runs_lets_no_event_wait() {
        let (detector, begin) = (StallDetector::default(), Instant::now());
        assert_eq!(detector.waited(begin, begin), None);
        for number in 0..10 {
            assert_eq!(detector.beat(begin + INTERVAL * number), None);
        }
        let now = begin + INTERVAL * 10;
        assert_eq!(detector.waited(now, now), None);
    }

    #[test]
    fn an_event_may_have_waited_for_a_thread_that_did_not_run_until_just_before_it() {
        let (detector, begin) = (StallDetector::default(), Instant::now());
        detector.beat(begin);
        let woken = begin + 3 * SECOND;
        // Read before the detector has noticed.
        assert_eq!(detector.waited(woken, woken), Some(3 * SECOND));
        assert_eq!(detector.beat(woken), Some(3 * SECOND));
        let read = woken + BACKLOG / 2;
        assert_eq!(detector.waited(read, read), Some(3 * SECOND));
        // It was handled at that time.
        assert_eq!(detector.waited(begin, read), Some(3 * SECOND));
        let later = woken + 2 * BACKLOG;
        assert_eq!(detector.waited(later, later), None);
    }
}
