//! The table: one row per figure, one column per plugin, and each plugin's ratio to the first.

use std::fmt::Write as _;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::plugin::{Measured, Subject};
use crate::statistics::{percentile, ratio};

/// A row: what it shows, and how many decimals it has.
struct Row {
    title: String,
    decimals: usize,
    values: Vec<f64>,
}

/// The whole report.
pub(crate) fn table(arguments: &Arguments, subjects: &[Subject]) -> String {
    let row = |title: &str, decimals, value: &dyn Fn(&Measured) -> f64| Row {
        title: title.to_owned(),
        decimals,
        values: subjects.iter().map(|subject| value(&subject.measured)).collect(),
    };
    let megabytes = |kilobytes: u64| kilobytes as f64 / 1024.0;
    let Arguments {
        creates,
        starts,
        containers,
        ..
    } = arguments;
    let rows = [
        row("CreateContainer p50, µs", 1, &|m| {
            micros(percentile(&m.creates, 50.0))
        }),
        row("CreateContainer p99, µs", 1, &|m| {
            micros(percentile(&m.creates, 99.0))
        }),
        row(&format!("CPU of {creates} creates, ms"), 0, &|m| {
            millis(m.creates_cpu)
        }),
        row("a life's other events p50, µs", 1, &|m| {
            micros(percentile(&m.other_events, 50.0))
        }),
        row("a life's events in all p50, µs", 1, &|m| {
            micros(percentile(&m.lives, 50.0))
        }),
        row("hooks in each answer", 0, &|m| m.hooks as f64),
        row("2 MB of annotations, ms", 1, &|m| millis(m.long_message)),
        row("exec to synchronized p50, ms", 1, &|m| {
            millis(percentile(&m.starts, 50.0))
        }),
        row("RSS idle, MiB", 2, &|m| megabytes(m.resident_idle)),
        row("RSS of its front, MiB", 2, &|m| megabytes(m.resident_of_front)),
        row(&format!("RSS after {creates} creates, MiB"), 2, &|m| {
            megabytes(m.resident_after_creates)
        }),
        row(&format!("RSS 1 s after {containers} containers, MiB"), 2, &|m| {
            megabytes(m.resident_after_synchronize)
        }),
        row(
            &format!("registered with {containers} containers p50, ms"),
            1,
            &|m| millis(percentile(&m.synchronizations, 50.0)),
        ),
        row("CPU of that and of what follows p50, ms", 1, &|m| {
            millis(percentile(&m.synchronizations_cpu, 50.0))
        }),
    ];
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let mut text = format!(
        "{creates} calls of CreateContainer and {starts} starts for each plugin, taking turns; 20 annotations of \
         100 bytes, 60 variables, 20 mounts; a hook-spec of 3 hooks for those that take one\n\n"
    );
    text.push_str(&render(&names, &rows));
    text.push_str(&ratios(subjects));
    text
}

/// The durations of one kind that were measured.
type DurationsOf = fn(&Measured) -> &[Duration];

/// How sure the ratios to the first plugin are, of what is measured often.
fn ratios(subjects: &[Subject]) -> String {
    let Some((first, others)) = subjects.split_first() else {
        return String::new();
    };
    let rows: [(&str, DurationsOf); 3] = [
        ("CreateContainer", |measured| &measured.creates),
        ("a life's events in all", |measured| &measured.lives),
        ("CPU of a synchronization", |measured| {
            &measured.synchronizations_cpu
        }),
    ];
    let mut text = "\nratio of the medians; 90% interval by bootstrap\n".to_owned();
    for (title, durations) in rows {
        for other in others {
            let ratio = ratio(durations(&other.measured), durations(&first.measured));
            let compared = format!("{} : {}", other.name, first.name);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{title:<30}{compared:>20}{:>8.3} [{:.3}, {:.3}]",
                ratio.value, ratio.least, ratio.most
            );
        }
    }
    text
}

/// Lays the rows out.
fn render(names: &[&str], rows: &[Row]) -> String {
    let title_width = rows
        .iter()
        .map(|row| row.title.chars().count())
        .max()
        .unwrap_or_default();
    let widths: Vec<usize> = names.iter().map(|name| name.chars().count().max(10)).collect();
    let mut text = " ".repeat(title_width);
    for (column, (name, width)) in names.iter().zip(&widths).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "  {name:>width$}");
        text.push_str(if column == 0 { "" } else { "   ratio" });
    }
    text.push('\n');
    for Row {
        title,
        decimals,
        values,
    } in rows
    {
        let _ = write!(text, "{title:<title_width$}");
        let first = values.first().copied().unwrap_or_default();
        for (column, (value, width)) in values.iter().zip(&widths).enumerate() {
            let _ = write!(text, "  {value:>width$.decimals$}");
            if column > 0 {
                let ratio = (first > 0.0).then(|| format!("{:.2}", value / first));
                let ratio = ratio.as_deref().unwrap_or("-");
                let _ = write!(text, "  {ratio:>6}");
            }
        }
        text.push('\n');
    }
    text
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plugin_after_the_first_has_its_ratio_to_it() {
        let rows = [
            Row {
                title: "time, µs".to_owned(),
                decimals: 1,
                values: vec![80.0, 100.0],
            },
            Row {
                title: "hooks".to_owned(),
                decimals: 0,
                values: vec![0.0, 3.0],
            },
        ];
        let expected = "               empty     another   ratio\n\
                        time, µs        80.0       100.0    1.25\n\
                        hooks              0           3       -\n";
        assert_eq!(render(&["empty", "another"], &rows), expected);
    }
}
