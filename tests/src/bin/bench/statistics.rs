//! What a number of durations says: percentiles, and how sure a difference or a ratio of two medians is.

use std::time::Duration;

/// How often the durations are drawn anew.
const DRAWS: usize = 1000;

/// An estimate, and the bounds between which it lies in 90 of 100 draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// The smallest duration that is not exceeded by `percent` of all. Zero if there are none.
pub(crate) fn percentile(durations: &[Duration], percent: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The median, in milliseconds.
pub(crate) fn median(durations: &[Duration]) -> f64 {
    percentile(durations, 50.0).as_secs_f64() * 1e3
}

/// The median of `measured` less that of `peer`, in milliseconds.
pub(crate) fn difference(measured: &[Duration], peer: &[Duration]) -> Estimate {
    bootstrap(measured, peer, |measured, peer| measured - peer)
}

/// The median of `measured` as a multiple of that of `peer`.
pub(crate) fn ratio(measured: &[Duration], peer: &[Duration]) -> Estimate {
    bootstrap(measured, peer, |measured, peer| measured / peer)
}

/// Compares two medians, and draws both lists anew, with replacement, for the interval: the calls of a container
/// runtime take tens of milliseconds and vary by several, so two medians alone say little.
fn bootstrap(measured: &[Duration], peer: &[Duration], compare: impl Fn(f64, f64) -> f64) -> Estimate {
    let drawn = |durations: &[Duration]| {
        let again: Vec<Duration> = durations
            .iter()
            .filter_map(|_| fastrand::choice(durations).copied())
            .collect();
        median(&again)
    };
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| compare(drawn(measured), drawn(peer)))
        .collect();
    draws.sort_by(f64::total_cmp);
    Estimate {
        value: compare(median(measured), median(peer)),
        least: draws[DRAWS / 20],
        most: draws[DRAWS - DRAWS / 20 - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 durations in microseconds, `by` apart.
    fn durations(from: u64, by: u64) -> Vec<Duration> {
        (0..200).map(|i| Duration::from_micros(from + i * by)).collect()
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let durations: Vec<Duration> = (1..=200).rev().map(Duration::from_micros).collect();
        assert_eq!(percentile(&durations, 50.0), Duration::from_micros(100));
        assert_eq!(percentile(&durations, 99.0), Duration::from_micros(198));
        assert_eq!(percentile(&durations, 100.0), Duration::from_micros(200));
        assert_eq!(percentile(&[], 50.0), Duration::ZERO);
    }

    #[test]
    fn the_interval_of_a_difference_is_narrow_where_durations_are() {
        let narrow = difference(&durations(42_000, 1), &durations(40_000, 1));
        assert!(narrow.least > 1.9 && narrow.most < 2.1, "{narrow:?}");
        let wide = difference(&durations(42_000, 100), &durations(40_000, 100));
        assert!(wide.least < 1.5 && wide.most > 2.5, "{wide:?}");
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_lies_in_its_interval() {
        let twice = ratio(&durations(40_000, 10), &durations(20_000, 10));
        assert!((twice.value - 40_990.0 / 20_990.0).abs() < 1e-9, "{twice:?}");
        assert!(
            twice.least <= twice.value && twice.value <= twice.most,
            "{twice:?}"
        );
        assert!(twice.most - twice.least < 0.1, "{twice:?}");
    }
}
