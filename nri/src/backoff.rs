//! The waiting times between attempts.

use std::time::Duration;

/// Waiting times that double from a first one up to a longest one.
///
/// The first is short, since a runtime that restarts is back within moments. It creates containers without the plugin
/// until the plugin is back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Waiting times from `first` to `longest`; the latter wins if it is the shorter one.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let first = first.min(longest);
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// The current waiting time. The next one will be twice as long, up to the longest.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.longest);
        delay
    }

    /// Goes back to the first waiting time, after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// 10 ms, doubling to 1 s.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_10_ms_to_1_s_and_stay_there() {
        let mut backoff = Backoff::default();
        let delays: Vec<u128> = (0..9).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::default();
        backoff.next_delay();
        backoff.next_delay();
        backoff.reset();
        assert_eq!(backoff, Backoff::default());
    }

    #[test]
    fn no_delay_is_longer_than_the_longest() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::from_secs(1));
        assert_eq!(backoff.next_delay(), Duration::from_secs(1));
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX);
        assert!((0..100).map(|_| backoff.next_delay()).is_sorted());
    }
}
