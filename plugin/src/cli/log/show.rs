//! An event as lines for people.

use std::io::{self, Write};

use super::history::{Event, HookEnded, What};
use crate::ledger::{Output, StageResult};
use crate::model::{escaped, one_line};

/// Prints one event; the output of a hook is indented below it. The triggers of runners are only in the
/// output for programs.
pub(super) fn show(event: &Event, out: &mut impl Write) -> io::Result<()> {
    let who = format!(
        "{}  {}/{}/{}  {}",
        event.at.to_the_millisecond(),
        escaped(&event.namespace),
        escaped(&event.pod),
        escaped(&event.container),
        event.stage
    );
    match &event.what {
        What::Claimed { .. } => Ok(()),
        What::Hook {
            hook,
            hooks,
            path,
            file,
            line,
            end,
            ..
        } => {
            let (path, file) = (escaped(path), escaped(file));
            write!(out, "{who} {}/{hooks}  {path} ({file}:{line})  ", hook + 1)?;
            match end {
                None => writeln!(out, "runs"),
                Some(end) => ended(end, out),
            }
        }
        What::EventTimedOut { by, waited_ms } => {
            writeln!(
                out,
                "{who}  {by} was answered after {waited_ms} ms, before the stage was over"
            )
        }
        What::NotHeld { reason } => {
            writeln!(
                out,
                "{who}  the start did not wait for the stage: {}",
                one_line(reason)
            )
        }
        What::Stage { result } => match result {
            StageResult::Done => writeln!(out, "{who}  done"),
            StageResult::Failed { message } => writeln!(out, "{who}  failed: {}", one_line(message)),
            StageResult::Skipped { reason } => writeln!(out, "{who}  skipped: {}", one_line(reason)),
        },
    }
}

fn ended(end: &HookEnded, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{} ({:.1} ms)",
        one_line(&end.outcome.to_string()),
        end.duration_ms
    )?;
    output("stdout", &end.stdout, out)?;
    output("stderr", &end.stderr, out)
}

fn output(name: &str, output: &Output, out: &mut impl Write) -> io::Result<()> {
    for line in output.head.lines() {
        writeln!(out, "    {name}: {}", one_line(line))?;
    }
    if output.omitted > 0 {
        writeln!(out, "    {name}: ({} bytes left out)", output.omitted)?;
    }
    for line in output.tail.lines() {
        writeln!(out, "    {name}: {}", one_line(line))?;
    }
    Ok(())
}
