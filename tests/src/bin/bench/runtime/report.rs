//! The table of the measurements on a real containerd.

use std::fmt::Write as _;
use std::time::Duration;

use super::lives::{Measured, STAGES, Subject};
use crate::report::percentile;

/// The whole report; `subjects` are without hooks, direct and runner.
pub(crate) fn table(starts: usize, subjects: &[Subject; 3], peak: u64) -> String {
    let mut text = format!(
        "median of {starts} containers for each stage and delivery, one hook that reads its state, ms; 90% interval \
         of the\ndifference by bootstrap\n\n{:<28}{:>10}{:>10}{:>10}{:>16}{:>18}\n",
        "", "no hook", "direct", "runner", "runner - direct", "90% interval"
    );
    for (index, stage) in STAGES.iter().enumerate() {
        let (call, times): (_, fn(&Measured) -> &[Duration]) = match *stage {
            "poststop" => ("StopContainer", |measured| &measured.stops),
            _ => ("StartContainer", |measured| &measured.starts),
        };
        let times = subjects.each_ref().map(|subject| times(&subject.measured[index]));
        let [none, direct, runner] = times.map(median);
        let (least, most) = interval(times[1], times[2]);
        let title = format!("{call} with {stage}");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{title:<28}{none:>10.2}{direct:>10.2}{runner:>10.2}{:>+16.2}{:>18}",
            runner - direct,
            format!("{least:+.2} to {most:+.2}")
        );
    }
    let _ = writeln!(
        text,
        "\npeak RSS of a runner with a hook-spec of 3 hooks: {:.2} MB",
        peak as f64 * 1024.0 / 1e6
    );
    text
}

/// In milliseconds.
fn median(times: &[Duration]) -> f64 {
    percentile(times, 50.0).as_secs_f64() * 1e3
}

/// How often the containers are drawn anew.
const DRAWS: usize = 1000;

/// Between what the difference of the medians lies in 90 of 100 draws, with replacement, from what was measured: a
/// start takes tens of milliseconds and varies by several, so a difference of two medians says little without it.
fn interval(direct: &[Duration], runner: &[Duration]) -> (f64, f64) {
    let drawn = |times: &[Duration]| {
        let again: Vec<Duration> = times
            .iter()
            .filter_map(|_| fastrand::choice(times).copied())
            .collect();
        median(&again)
    };
    let mut differences: Vec<f64> = (0..DRAWS).map(|_| drawn(runner) - drawn(direct)).collect();
    differences.sort_by(f64::total_cmp);
    (differences[DRAWS / 20], differences[DRAWS - DRAWS / 20])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_difference_and_is_narrow_where_times_are() {
        let times = |from: u64, by: u64| -> Vec<Duration> {
            (0..200).map(|i| Duration::from_micros(from + i * by)).collect()
        };
        let (least, most) = interval(&times(40_000, 1), &times(42_000, 1));
        assert!(least > 1.9 && most < 2.1, "{least} to {most}");
        let (least, most) = interval(&times(40_000, 100), &times(42_000, 100));
        assert!(least < 1.5 && most > 2.5, "{least} to {most}");
    }
}
