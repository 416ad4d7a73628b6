//! The labels, and their values.

use prometheus_client::encoding::EncodeLabelSet;

use crate::ledger::{Outcome, StageResult};
use crate::model::Stage;

/// The stages that a runner runs.
pub(super) const STAGES: [Stage; 4] = Stage::OF_RUNNER;

/// The values of [`outcome`].
pub(super) const OUTCOMES: [&str; 8] = [
    "success",
    "failure",
    "killed",
    "timed-out",
    "out-of-memory",
    "refused",
    "not-executed",
    "interrupted",
];

/// The values of [`result`].
pub(super) const RESULTS: [&str; 3] = ["done", "failed", "skipped"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EventLabels {
    pub(super) event: &'static str,
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EventLabel {
    pub(super) event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RunLabels {
    pub(super) stage: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabels {
    pub(super) stage: &'static str,
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabel {
    pub(super) stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LoadLabels {
    pub(super) format: &'static str,
    pub(super) result: &'static str,
}

/// A program, and the hook-spec that names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProgramLabels {
    pub(super) program: String,
    pub(super) file: String,
}

impl ProgramLabels {
    /// The labels of the program at `path`, by its own name, and of the hook-spec `file`.
    pub(super) fn of(path: &str, file: &str) -> ProgramLabels {
        let program = path.rsplit('/').next().unwrap_or_default();
        ProgramLabels {
            program: plain(program),
            file: plain(file),
        }
    }

    /// Of all programs that are too many.
    pub(super) fn others() -> ProgramLabels {
        ProgramLabels::of("others", "others")
    }
}

/// A name that is no trouble to anybody who reads metrics: at most 255 characters, and none that has to be escaped.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:=,".contains(c);
    let plain = |c: char| if is_plain(c) { c } else { '_' };
    name.chars().take(255).map(plain).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabel {
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

/// The result of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) enum EventResult {
    /// The runtime got the answer of the handler.
    Ok,
    /// The runtime got an error.
    Error,
    /// The handler panicked or timed out; the runtime got an error that is not the handler's.
    Dropped,
}

impl EventResult {
    pub(super) const ALL: [EventResult; 3] = [EventResult::Ok, EventResult::Error, EventResult::Dropped];

    pub(super) fn word(self) -> &'static str {
        match self {
            EventResult::Ok => "ok",
            EventResult::Error => "error",
            EventResult::Dropped => "dropped",
        }
    }
}

/// The label for the outcome of a hook.
pub(super) fn outcome(ended: &Outcome) -> &'static str {
    match ended {
        Outcome::Exited { status: 0 } => "success",
        Outcome::Exited { .. } => "failure",
        Outcome::Killed { .. } => "killed",
        Outcome::TimedOut { .. } => "timed-out",
        Outcome::OutOfMemory { .. } => "out-of-memory",
        Outcome::ProcessLimit { end, .. } => outcome(end),
        Outcome::Refused { .. } => "refused",
        Outcome::NotExecuted { .. } => "not-executed",
        Outcome::Interrupted => "interrupted",
    }
}

/// The label for the result of a stage.
pub(super) fn result(result: &StageResult) -> &'static str {
    match result {
        StageResult::Done => "done",
        StageResult::Failed { .. } => "failed",
        StageResult::Skipped { .. } => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_label_of_the_list() {
        let reason = String::new;
        let outcomes = [
            Outcome::Exited { status: 0 },
            Outcome::Exited { status: 1 },
            Outcome::Killed { signal: 9 },
            Outcome::TimedOut { seconds: 1, left: 0 },
            Outcome::OutOfMemory { memory: 1 },
            Outcome::Refused { reason: reason() },
            Outcome::NotExecuted { reason: reason() },
            Outcome::Interrupted,
        ];
        assert_eq!(outcomes.each_ref().map(outcome), OUTCOMES);
    }
}
