//! One container's life as bars on one time axis.

use std::io::{self, Write};
use std::time::Duration;

use crate::ledger::{EntryDirectory, Header, LedgerError, Line, Record, StageResult};
use crate::model::{Stage, Timestamp, escaped, one_line};

/// The width of the time axis, in characters.
const WIDTH: usize = 48;

/// The life of one container.
pub(super) struct Life {
    header: Header,
    bars: Vec<Bar>,
}

/// A bar: something with a duration.
struct Bar {
    label: String,
    from: Timestamp,
    /// Absent if it continues.
    to: Option<Timestamp>,
    what: String,
}

impl Life {
    /// The life of the container with these files.
    pub(super) fn read(directory: &EntryDirectory) -> Result<Life, LedgerError> {
        let header = directory.header()?;
        let mut bars = vec![Bar::point("created", header.at)];
        let [prestart, poststart, poststop] =
            [Stage::Prestart, Stage::Poststart, Stage::Poststop].map(|stage| directory.record(stage));
        let (prestart, poststart, poststop) = (prestart?, poststart?, poststop?);
        bars.extend(hooks(Stage::Prestart, &prestart, &header));
        let create_runtime = directory.record(Stage::CreateRuntime)?;
        bars.extend(hooks(Stage::CreateRuntime, &create_runtime, &header));
        let before = create_runtime.or(prestart);
        bars.extend(process(&before, &poststart, &poststop));
        bars.extend(hooks(Stage::Poststart, &poststart, &header));
        bars.extend(began(&poststop).map(|at| Bar::point("stopped", at)));
        bars.extend(hooks(Stage::Poststop, &poststop, &header));
        Ok(Life { header, bars })
    }

    /// Prints the life. The axis is not to scale: short durations are drawn longer, so that they can be seen.
    /// Each bar has its numbers beside it.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let identity = &self.header.identity;
        let name =
            [&identity.namespace, &identity.pod, &identity.container].map(|name| escaped(name).to_string());
        let (name, id) = (name.join("/"), identity.id.as_str());
        writeln!(
            out,
            "{name}  {}  {}",
            escaped(&id[..id.len().min(12)]),
            self.header.at.to_the_millisecond()
        )?;
        let axis = Axis::of(&self.bars);
        for bar in &self.bars {
            let begin = in_words(bar.from.since(self.header.at));
            let took = match bar.to {
                Some(to) if to > bar.from => in_words(to.since(bar.from)),
                Some(_) => String::new(),
                None => "runs".to_owned(),
            };
            let line = format!(
                "  {:<12} +{begin:<9} {took:<9} |{}| {}",
                bar.label,
                axis.draw(bar),
                bar.what
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Bar {
    fn point(label: &str, at: Timestamp) -> Bar {
        Bar {
            label: label.to_owned(),
            from: at,
            to: Some(at),
            what: String::new(),
        }
    }
}

/// The hooks of a stage that began, or why none did.
fn hooks(stage: Stage, record: &Option<Record>, header: &Header) -> Vec<Bar> {
    let Some(record) = record.as_ref().filter(|_| header.count(stage) > 0) else {
        return Vec::new();
    };
    let mut bars: Vec<Bar> = record
        .runs()
        .iter()
        .map(|run| Bar {
            label: format!("{stage} {}", run.hook + 1),
            from: run.began,
            to: run.ended.map(|end| end.at),
            what: match run.ended {
                Some(end) => format!("{}, {}", escaped(run.path), one_line(&end.outcome.to_string())),
                None => escaped(run.path).to_string(),
            },
        })
        .collect();
    if let (Some(StageResult::Skipped { reason }), Some(at)) = (record.finished(), record.finished_at()) {
        let skipped = Bar {
            what: format!("skipped: {}", one_line(reason)),
            ..Bar::point(stage.key(), at)
        };
        bars.push(skipped);
    }
    bars
}

/// The init process, as far as the stages show it: not before the end of prestart, and not after the start of
/// poststop. `None` if it was never started.
fn process(prestart: &Option<Record>, poststart: &Option<Record>, poststop: &Option<Record>) -> Option<Bar> {
    let result = prestart.as_ref().and_then(Record::finished);
    if matches!(
        result,
        Some(StageResult::Failed { .. } | StageResult::Skipped { .. })
    ) {
        return None;
    }
    let done = prestart.as_ref().and_then(Record::finished_at);
    let from = done.or_else(|| began(poststart))?;
    Some(Bar {
        label: "init".to_owned(),
        from,
        to: began(poststop),
        what: "at most".to_owned(),
    })
}

/// The time when a runner first took the claim on a stage.
fn began(record: &Option<Record>) -> Option<Timestamp> {
    record.as_ref()?.lines.iter().find_map(|line| match line {
        Line::Claimed { at, .. } => Some(*at),
        _ => None,
    })
}

/// A time axis on which each relevant timestamp is apart from the next.
struct Axis {
    /// Each timestamp, and its position, from 0 to 1.
    marks: Vec<(Timestamp, f64)>,
}

impl Axis {
    fn of(bars: &[Bar]) -> Axis {
        let mut moments: Vec<Timestamp> = bars
            .iter()
            .flat_map(|bar| [Some(bar.from), bar.to])
            .flatten()
            .collect();
        moments.sort_unstable();
        moments.dedup();
        // A minute is drawn some four times as long as a millisecond.
        let mut along = 0.0;
        let mut marks: Vec<(Timestamp, f64)> = Vec::new();
        for moment in moments {
            if let Some((before, _)) = marks.last() {
                along += 1.0 + (1.0 + moment.since(*before).as_secs_f64() * 1000.0).log10();
            }
            marks.push((moment, along));
        }
        let whole = if along > 0.0 { along } else { 1.0 };
        for (_, along) in &mut marks {
            *along /= whole;
        }
        Axis { marks }
    }

    fn column(&self, moment: Timestamp) -> usize {
        let known = self.marks.binary_search_by_key(&moment, |(known, _)| *known);
        let along = known
            .ok()
            .and_then(|at| self.marks.get(at))
            .map_or(1.0, |(_, along)| *along);
        // Between 0 and WIDTH - 1.
        (along * (WIDTH - 1) as f64).round() as usize
    }

    fn draw(&self, bar: &Bar) -> String {
        let from = self.column(bar.from);
        let (to, end) = match bar.to {
            Some(to) => (self.column(to), '='),
            None => (WIDTH - 1, '>'),
        };
        let is_point = bar.to == Some(bar.from);
        let sign = |column| match column {
            column if column < from || column > to => ' ',
            _ if is_point => '*',
            column if column == to => end,
            _ => '=',
        };
        (0..WIDTH).map(sign).collect()
    }
}

/// `850 us`, `3.2 ms`, `1.5 s`, `12 min`, `3.0 h`.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds < 0.001 => format!("{} us", time.as_micros()),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 120.0 => format!("{seconds:.1} s"),
        _ if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
