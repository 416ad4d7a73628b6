//! The record of one stage: JSON lines, only ever appended to, by whoever holds its lock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checksum::{self, Format};
use super::{Created, Output, Trigger};
use crate::model::Timestamp;

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The OCI runtime has created the container. It is noted once for all stages, in the record of
    /// whichever comes to know it.
    Created(Created),
    /// A runner took the claim.
    Claimed {
        /// What started the runner.
        by: Trigger,
        /// Its process id.
        runner: u32,
        /// When.
        at: Timestamp,
    },
    /// A hook begins. It is written before anything of the hook runs.
    Began {
        /// Its index in the stage's list, from 0.
        hook: usize,
        /// Its program.
        path: String,
        /// The hook-spec that it comes from.
        file: String,
        /// The line of the hook-spec on which it begins.
        line: usize,
        /// Whether its failure is ignored.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_fail: bool,
        /// When.
        at: Timestamp,
    },
    /// The hook that began last has ended.
    Ended {
        /// Its index in the stage's list, from 0.
        hook: usize,
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
        /// What it wrote to stdout.
        #[serde(default, skip_serializing_if = "Output::is_empty")]
        stdout: Output,
        /// What it wrote to stderr.
        #[serde(default, skip_serializing_if = "Output::is_empty")]
        stderr: Output,
        /// When.
        at: Timestamp,
    },
    /// The event that wanted this stage done had to be answered before it was.
    Late {
        /// Which event.
        by: Trigger,
        /// How long was waited, in milliseconds.
        waited_ms: u64,
        /// When.
        at: Timestamp,
    },
    /// The container's start could not be made to wait for this stage (poststart only).
    NotHeld {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// The stage is over; nothing of it runs ever again.
    Finished {
        /// How.
        #[serde(flatten)]
        result: StageResult,
        /// When.
        at: Timestamp,
    },
}

impl Line {
    /// How many bytes of what a hook wrote it holds.
    pub(super) fn output(&self) -> usize {
        match self {
            Line::Ended { stdout, stderr, .. } => stdout.len() + stderr.len(),
            _ => 0,
        }
    }
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// By itself, with this exit status.
    Exited {
        /// 0 for success.
        status: i32,
    },
    /// By a signal that it did not get from us.
    Killed {
        /// Its number.
        signal: i32,
    },
    /// It ran longer than it may, and was killed with everything that it had started.
    TimedOut {
        /// How long it may run, in seconds.
        seconds: u32,
        /// How many of its processes had not ended when no longer was waited: the kernel ends them
        /// when it can.
        #[serde(default, skip_serializing_if = "is_zero")]
        left: usize,
    },
    /// It was killed, or failed, because it had used up the memory that it may use.
    OutOfMemory {
        /// How much that is, in bytes.
        memory: u64,
    },
    /// It failed in another way, after it had as many processes as it may and could start no more.
    ProcessLimit {
        /// How many that are.
        processes: u32,
        /// How it ended.
        end: Box<Outcome>,
    },
    /// It was not run: its file is no longer one that root may run.
    Refused {
        /// Why.
        reason: String,
    },
    /// The kernel could not execute it.
    NotExecuted {
        /// What the kernel says.
        reason: String,
    },
    /// The runner died while it ran; it is not run again.
    Interrupted,
}

impl Outcome {
    /// Whether the hook did its work.
    pub fn is_success(&self) -> bool {
        *self == Outcome::Exited { status: 0 }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Exited { status } => write!(f, "exited with status {status}"),
            Outcome::Killed { signal } => write!(f, "was killed by signal {signal}"),
            Outcome::TimedOut { seconds, left } => {
                write!(f, "was killed after its timeout of {seconds} s")?;
                match left {
                    0 => Ok(()),
                    left => write!(f, " ({left} of its processes have not ended yet)"),
                }
            }
            Outcome::OutOfMemory { memory } => {
                write!(f, "ran out of memory: it may use {memory} bytes")
            }
            Outcome::ProcessLimit { processes, end } => {
                write!(f, "{end} (it reached its limit of {processes} processes)")
            }
            Outcome::Refused { reason } => write!(f, "was not run: {reason}"),
            Outcome::NotExecuted { reason } => write!(f, "could not be executed: {reason}"),
            Outcome::Interrupted => f.write_str("was interrupted: its runner died"),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum StageResult {
    /// Its list was gone through; some of its hooks may have failed, if that does not matter to
    /// the stage.
    Done,
    /// A hook failed, and that ended it (prestart only).
    Failed {
        /// What the caller was told.
        message: String,
    },
    /// None of its hooks was run.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// What is known of one stage of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

/// One run of a hook, put together from its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookRun<'r> {
    /// Its index in the stage's list, from 0.
    pub hook: usize,
    /// Its program.
    pub path: &'r str,
    /// The hook-spec that it comes from.
    pub file: &'r str,
    /// The line of the hook-spec on which it begins.
    pub line: usize,
    /// When it began.
    pub began: Timestamp,
    /// Whether its failure is ignored.
    pub may_fail: bool,
    /// How it ended, and what it wrote; absent while it runs.
    pub ended: Option<HookEnd<'r>>,
}

/// How a run of a hook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookEnd<'r> {
    /// How.
    pub outcome: &'r Outcome,
    /// What it wrote to stdout.
    pub stdout: &'r Output,
    /// What it wrote to stderr.
    pub stderr: &'r Output,
    /// When.
    pub at: Timestamp,
}

impl Record {
    /// Reads a record. A last line that was cut off counts as never written; so does one that this
    /// release does not know: a later one has written it.
    ///
    /// Fails with the reason if lines are lost or changed: what ran can no longer be determined.
    pub(super) fn parse(bytes: &[u8], format: Format) -> Result<Record, String> {
        let lines = checksum::lines(bytes, format)?.into_iter();
        Ok(Record {
            lines: lines
                .filter_map(|line| serde_json::from_slice(&line).ok())
                .collect(),
        })
    }

    /// Reads of a record only its line of this `kind`, which it has at most once: `created` or
    /// `finished`. A record may be long, and an event waits.
    pub(super) fn parse_one(bytes: &[u8], format: Format, kind: &str) -> Result<Record, String> {
        let begin = format!("{{\"{kind}\":");
        let lines = checksum::lines(bytes, format)?;
        let mut lines = lines.iter().filter(|line| line.starts_with(begin.as_bytes()));
        let line = lines.find_map(|line| serde_json::from_slice(line).ok());
        Ok(Record {
            lines: line.into_iter().collect(),
        })
    }

    /// What of it is about the hook that began last, or all if none has.
    #[must_use]
    pub(super) fn of_last_run(mut self) -> Record {
        let is_began = |line: &Line| matches!(line, Line::Began { .. });
        if let Some(from) = self.lines.iter().rposition(is_began) {
            self.lines.drain(..from);
        }
        self
    }

    /// What is known of the container's creation, if it is noted here.
    pub fn created(&self) -> Option<&Created> {
        self.lines.iter().find_map(|line| match line {
            Line::Created(created) => Some(created),
            _ => None,
        })
    }

    /// How the stage ended, if it has.
    pub fn finished(&self) -> Option<&StageResult> {
        self.lines.iter().find_map(|line| match line {
            Line::Finished { result, .. } => Some(result),
            _ => None,
        })
    }

    /// When the stage ended, if it has.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.lines.iter().find_map(|line| match line {
            Line::Finished { at, .. } => Some(*at),
            _ => None,
        })
    }

    /// The hooks that began, in order.
    pub fn runs(&self) -> Vec<HookRun<'_>> {
        runs(&self.lines)
    }

    /// The run that began last.
    pub fn last_run(&self) -> Option<HookRun<'_>> {
        // From the end: a stage may have tens of thousands of hooks.
        let is_began = |line: &Line| matches!(line, Line::Began { .. });
        let from = self.lines.iter().rposition(is_began)?;
        runs(&self.lines[from..]).pop()
    }

    /// The hook that began and of which nobody wrote that it ended.
    pub fn open(&self) -> Option<usize> {
        let open = self.last_run().filter(|run| run.ended.is_none());
        open.map(|run| run.hook)
    }

    /// The index of the first hook that has not begun.
    pub fn next(&self) -> usize {
        self.last_run().map_or(0, |run| run.hook + 1)
    }

    /// How long events waited for it in vain, and which.
    pub fn late(&self) -> impl Iterator<Item = (Trigger, Duration)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Late { by, waited_ms, .. } => Some((*by, Duration::from_millis(*waited_ms))),
            _ => None,
        })
    }
}

/// The hooks that began in `lines`. A hook's end follows its beginning, and no other hook begins
/// between the two.
fn runs(lines: &[Line]) -> Vec<HookRun<'_>> {
    let mut runs: Vec<HookRun<'_>> = Vec::new();
    for line in lines {
        match line {
            Line::Began {
                hook,
                path,
                file,
                line,
                may_fail,
                at,
            } => runs.push(HookRun {
                hook: *hook,
                path,
                file,
                line: *line,
                may_fail: *may_fail,
                began: *at,
                ended: None,
            }),
            Line::Ended {
                hook,
                outcome,
                stdout,
                stderr,
                at,
            } => {
                if let Some(run) = runs.last_mut().filter(|run| run.hook == *hook) {
                    run.ended.get_or_insert(HookEnd {
                        outcome,
                        stdout,
                        stderr,
                        at: *at,
                    });
                }
            }
            _ => {}
        }
    }
    runs
}
