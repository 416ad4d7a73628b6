//! Statistics of durations: their median, and how sure the ratio of two medians is.

use std::time::Duration;

/// How often the durations are drawn again.
const DRAWS: usize = 1000;

/// An estimate, and the bounds between which it lies in 90 of 100 draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// The median, in milliseconds: the smallest duration that is not exceeded by half of all. Zero if there are none.
pub(crate) fn median(durations: &[Duration]) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().div_ceil(2).saturating_sub(1);
    sorted.get(middle).copied().unwrap_or_default().as_secs_f64() * 1e3
}

/// The median of `measured` as a multiple of that of `peer`. For the interval, both lists are drawn again, with
/// replacement. The calls of a container runtime take tens of milliseconds and vary by several, so two medians alone
/// say little.
pub(crate) fn ratio(measured: &[Duration], peer: &[Duration]) -> Estimate {
    let drawn = |durations: &[Duration]| {
        let again: Vec<Duration> = durations
            .iter()
            .filter_map(|_| fastrand::choice(durations).copied())
            .collect();
        median(&again)
    };
    let mut draws: Vec<f64> = (0..DRAWS).map(|_| drawn(measured) / drawn(peer)).collect();
    draws.sort_by(f64::total_cmp);
    Estimate {
        value: median(measured) / median(peer),
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
    fn a_median_is_one_of_the_values() {
        assert_eq!(median(&durations(1_000, 10)), 1.990);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_its_interval_is_narrow_where_durations_are() {
        let twice = ratio(&durations(40_000, 10), &durations(20_000, 10));
        assert!((twice.value - 40_990.0 / 20_990.0).abs() < 1e-9, "{twice:?}");
        assert!(
            twice.least <= twice.value && twice.value <= twice.most,
            "{twice:?}"
        );
        assert!(twice.most - twice.least < 0.1, "{twice:?}");
        let wide = ratio(&durations(40_000, 100), &durations(20_000, 100));
        assert!(wide.most - wide.least > 0.1, "{wide:?}");
    }
}
