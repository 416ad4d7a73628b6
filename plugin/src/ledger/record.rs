//! The record of one stage: JSON lines. The process that holds its lock appends to it; nothing else changes
//! it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checksum::{self, Format};
use super::error::Damage;
use super::{Created, Output, Trigger};
use crate::model::Timestamp;

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The OCI runtime has created the container. It is noted once for all stages, in the record of the first
    /// stage that runs.
    Created(Created),
    /// A runner has taken the claim.
    Claimed {
        /// The trigger of the runner.
        by: Trigger,
        /// Its process id.
        runner: u32,
        /// The time.
        at: Timestamp,
    },
    /// A hook begins. This is written before any part of the hook runs.
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
        /// The time.
        at: Timestamp,
    },
    /// The last hook that began has ended.
    Ended {
        /// Its index in the stage's list, from 0.
        hook: usize,
        /// The outcome.
        #[serde(flatten)]
        outcome: Outcome,
        /// Its stdout.
        #[serde(default, skip_serializing_if = "Output::is_empty")]
        stdout: Output,
        /// Its stderr.
        #[serde(default, skip_serializing_if = "Output::is_empty")]
        stderr: Output,
        /// The time.
        at: Timestamp,
    },
    /// The event that waited for this stage had to be answered before the stage was over. 0.1.0 had another name for
    /// it.
    #[serde(alias = "late")]
    EventTimedOut {
        /// The event.
        by: Trigger,
        /// The time that it waited, in milliseconds.
        waited_ms: u64,
        /// The time.
        at: Timestamp,
    },
    /// The container's start could not wait for this stage (poststart only).
    NotHeld {
        /// The reason.
        reason: String,
        /// The time.
        at: Timestamp,
    },
    /// The stage is over; none of its hooks ever runs again.
    Finished {
        /// The result.
        #[serde(flatten)]
        result: StageResult,
        /// The time.
        at: Timestamp,
    },
}

impl Line {
    /// The number of bytes of output in this line.
    pub(super) fn output(&self) -> usize {
        match self {
            Line::Ended { stdout, stderr, .. } => stdout.len() + stderr.len(),
            _ => 0,
        }
    }
}

/// The outcome of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It exited with this status.
    Exited {
        /// 0 for success.
        status: i32,
    },
    /// A signal ended it that we did not send.
    Killed {
        /// Its number.
        signal: i32,
    },
    /// It ran longer than its timeout, and was killed with all processes that it had started.
    TimedOut {
        /// Its timeout, in seconds.
        seconds: u32,
        /// The number of its processes that had not ended after the final wait: the kernel ends them when it
        /// can.
        #[serde(default, skip_serializing_if = "is_zero")]
        left: usize,
    },
    /// It was killed, or failed, after it had used all the memory of its limit.
    OutOfMemory {
        /// The limit, in bytes.
        memory: u64,
    },
    /// It failed in another way, after it had reached its limit of processes and could start no more.
    ProcessLimit {
        /// The limit.
        processes: u32,
        /// Its outcome.
        end: Box<Outcome>,
    },
    /// It did not run: root may no longer run its file.
    Refused {
        /// The reason.
        reason: String,
    },
    /// The kernel could not execute it.
    NotExecuted {
        /// The kernel's error.
        reason: String,
    },
    /// The runner died while the hook ran; it is not run again.
    Interrupted,
}

impl Outcome {
    /// Whether the hook succeeded.
    pub(crate) fn is_success(&self) -> bool {
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

/// The result of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum StageResult {
    /// Its list was completed; hooks may have failed whose failure does not end the stage.
    Done,
    /// A hook failed, which ended the stage (prestart only).
    Failed {
        /// The message for the caller.
        message: String,
    },
    /// None of its hooks has run.
    Skipped {
        /// The reason.
        reason: String,
    },
}

/// The record of one stage of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

/// One run of a hook, assembled from its lines.
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
    /// The time of its start.
    pub began: Timestamp,
    /// Whether its failure is ignored.
    pub may_fail: bool,
    /// Its end and its output; absent while it runs.
    pub ended: Option<HookEnd<'r>>,
}

/// The end of a hook's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookEnd<'r> {
    /// The outcome.
    pub outcome: &'r Outcome,
    /// Its stdout.
    pub stdout: &'r Output,
    /// Its stderr.
    pub stderr: &'r Output,
    /// The time.
    pub at: Timestamp,
}

impl Record {
    /// Reads a record. A last line that was cut off counts as never written. An unknown line was written by a
    /// later release, and counts as never written too.
    ///
    /// Fails with the reason if lines were lost or changed: then it is unknown which hooks have run.
    pub(super) fn parse(bytes: &[u8], format: Format) -> Result<Record, Damage> {
        let lines = checksum::lines(bytes, format)?.into_iter();
        Ok(Record {
            lines: lines
                .filter_map(|line| serde_json::from_slice(&line).ok())
                .collect(),
        })
    }

    /// Reads only the line of this `kind`, which a record has at most once: `created` or `finished`. A record
    /// may be long, and an event waits.
    pub(super) fn parse_one(bytes: &[u8], format: Format, kind: &str) -> Result<Record, Damage> {
        let begin = format!("{{\"{kind}\":");
        let lines = checksum::lines(bytes, format)?;
        let mut lines = lines.iter().filter(|line| line.starts_with(begin.as_bytes()));
        let line = lines.find_map(|line| serde_json::from_slice(line).ok());
        Ok(Record {
            lines: line.into_iter().collect(),
        })
    }

    /// The part about the last hook that began; everything if none has begun.
    #[must_use]
    pub(super) fn of_last_run(mut self) -> Record {
        let is_began = |line: &Line| matches!(line, Line::Began { .. });
        if let Some(from) = self.lines.iter().rposition(is_began) {
            self.lines.drain(..from);
        }
        self
    }

    /// The creation of the container, if it is noted here.
    pub fn created(&self) -> Option<&Created> {
        self.lines.iter().find_map(|line| match line {
            Line::Created(created) => Some(created),
            _ => None,
        })
    }

    /// The result of the stage, if it is over.
    pub fn finished(&self) -> Option<&StageResult> {
        self.lines.iter().find_map(|line| match line {
            Line::Finished { result, .. } => Some(result),
            _ => None,
        })
    }

    /// The time at which the stage ended, if it is over.
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

    /// The last run that began.
    pub fn last_run(&self) -> Option<HookRun<'_>> {
        // From the end, because a stage may have tens of thousands of hooks.
        let is_began = |line: &Line| matches!(line, Line::Began { .. });
        let from = self.lines.iter().rposition(is_began)?;
        runs(&self.lines[from..]).pop()
    }

    /// The hook that began and has no recorded end.
    pub fn open(&self) -> Option<usize> {
        let open = self.last_run().filter(|run| run.ended.is_none());
        open.map(|run| run.hook)
    }

    /// The index of the first hook that has not begun.
    pub fn next(&self) -> usize {
        self.last_run().map_or(0, |run| run.hook + 1)
    }

    /// The events that had to be answered before the stage was over, and the time that each waited.
    pub fn event_timeouts(&self) -> impl Iterator<Item = (Trigger, Duration)> {
        self.lines.iter().filter_map(|line| match line {
            Line::EventTimedOut { by, waited_ms, .. } => Some((*by, Duration::from_millis(*waited_ms))),
            _ => None,
        })
    }
}

/// The hooks that began in `lines`. A hook's end follows its start, and no other hook begins between the two.
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
