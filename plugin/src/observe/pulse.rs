//! Whether the thread that answers the runtime runs: what stopped it, a request may have waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Endpoint, Observer};
use crate::front;

/// How often the thread shows that it runs.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long it may not run before that is worth a line.
const LEAST_STALL: Duration = Duration::from_secs(1);

/// How long after a stall requests are read that came during it.
const BACKLOG: Duration = Duration::from_millis(250);

/// When the thread ran last, and when it did not.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<State>);

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

impl Pulse {
    /// The thread runs at `now`. Returns for how long it did not, if that is worth a line.
    fn beat(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let stall = state.stall_until(now);
        if stall.is_some() {
            state.stall = stall;
        }
        state.last = Some(now);
        stall.map(|stall| stall.length)
    }

    /// How long an event may have waited that is handled from `begin` to `end`: as long as the thread did not run
    /// before or meanwhile; nothing if it did.
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
    /// The stall that nothing but `now` has ended.
    fn stall_until(&self, now: Instant) -> Option<Stall> {
        let length = now.saturating_duration_since(self.last?);
        (length >= INTERVAL + LEAST_STALL).then_some(Stall { length, end: now })
    }
}

/// Shows that the thread runs, for ever, and logs when it did not.
pub async fn pulse(observer: Arc<Observer>, endpoint: Arc<Endpoint>) {
    loop {
        if let Some(stall) = observer.pulse().beat(Instant::now()) {
            let milliseconds = stall.as_millis();
            tracing::warn!(
                milliseconds,
                "the daemon did not run for so long: the runtime may have given up requests"
            );
        }
        endpoint.beat();
        if let Some(link) = front::link() {
            // The kernel keeps what a front that hangs does not take.
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
        let (pulse, begin) = (Pulse::default(), Instant::now());
        assert_eq!(pulse.waited(begin, begin), None);
        for number in 0..10 {
            assert_eq!(pulse.beat(begin + INTERVAL * number), None);
        }
        let now = begin + INTERVAL * 10;
        assert_eq!(pulse.waited(now, now), None);
    }

    #[test]
    fn an_event_may_have_waited_for_a_thread_that_did_not_run_until_just_before_it() {
        let (pulse, begin) = (Pulse::default(), Instant::now());
        pulse.beat(begin);
        let woken = begin + 3 * SECOND;
        // Read before the pulse has noticed.
        assert_eq!(pulse.waited(woken, woken), Some(3 * SECOND));
        assert_eq!(pulse.beat(woken), Some(3 * SECOND));
        let read = woken + BACKLOG / 2;
        assert_eq!(pulse.waited(read, read), Some(3 * SECOND));
        // It was being handled.
        assert_eq!(pulse.waited(begin, read), Some(3 * SECOND));
        let later = woken + 2 * BACKLOG;
        assert_eq!(pulse.waited(later, later), None);
    }
}
