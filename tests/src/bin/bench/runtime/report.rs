//! The table of the measurements on a real containerd.

use std::fmt::Write as _;
use std::time::Duration;

use super::lives::{Measured, STAGES, Subject};
use crate::report::percentile;

/// The whole report; `subjects` are without hooks, direct and runner.
pub(crate) fn table(starts: usize, subjects: &[Subject; 3], peak: u64) -> String {
    let mut text = format!(
        "median of {starts} containers for each stage and delivery, one hook that does nothing, ms\n\n\
         {:<28}{:>10}{:>10}{:>10}{:>16}\n",
        "", "no hook", "direct", "runner", "runner - direct"
    );
    for (index, stage) in STAGES.iter().enumerate() {
        let (call, times): (_, fn(&Measured) -> &[Duration]) = match *stage {
            "poststop" => ("StopContainer", |measured| &measured.stops),
            _ => ("StartContainer", |measured| &measured.starts),
        };
        let [none, direct, runner] = subjects
            .each_ref()
            .map(|subject| percentile(times(&subject.measured[index]), 50.0).as_secs_f64() * 1e3);
        let title = format!("{call} with {stage}");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{title:<28}{none:>10.2}{direct:>10.2}{runner:>10.2}{:>+16.2}",
            runner - direct
        );
    }
    let _ = writeln!(
        text,
        "\npeak RSS of a runner with a hook-spec of 3 hooks: {:.2} MB",
        peak as f64 * 1024.0 / 1e6
    );
    text
}
