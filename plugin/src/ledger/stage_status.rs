//! The status of a stage of a container.

use std::fmt;

use serde::Serialize;

use super::{EntryDirectory, Header, LedgerError, Record, StageResult};
use crate::model::Stage;

/// The status of a stage of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub(crate) enum StageStatus {
    /// It has no hooks.
    None,
    /// It has not begun.
    Waiting {
        /// The number of its hooks.
        hooks: usize,
    },
    /// A runner runs it.
    Running {
        /// The current hook, from 1; 0 before the first.
        hook: usize,
        /// The number of its hooks.
        hooks: usize,
    },
    /// A runner began it and died; the next one continues.
    Interrupted {
        /// The interrupted hook, from 1.
        hook: usize,
        /// The number of its hooks.
        hooks: usize,
    },
    /// Its list was completed.
    Done {
        /// The number of its hooks.
        hooks: usize,
        /// The number of hooks that failed.
        failed: usize,
    },
    /// A hook failed, which ended the stage.
    Failed {
        /// The failed hook, from 1; 0 if none has run.
        hook: usize,
        /// The number of its hooks.
        hooks: usize,
    },
    /// None of its hooks has run, and none will.
    Skipped {
        /// The number of its hooks.
        hooks: usize,
    },
}

impl StageStatus {
    /// The status of `stage` of the container in `directory`.
    ///
    /// # Errors
    /// Its record cannot be read.
    pub(crate) fn of(
        directory: &EntryDirectory,
        header: &Header,
        stage: Stage,
    ) -> Result<StageStatus, LedgerError> {
        let hooks = header.count(stage);
        let record = directory.record(stage)?.unwrap_or_default();
        let is_claimed = record.finished().is_none() && directory.is_claimed(stage)?;
        Ok(StageStatus::of_record(hooks, &record, is_claimed))
    }

    fn of_record(hooks: usize, record: &Record, is_claimed: bool) -> StageStatus {
        let hook = record.next();
        match record.finished() {
            _ if hooks == 0 => StageStatus::None,
            Some(StageResult::Done) => StageStatus::Done {
                hooks,
                failed: failed(record),
            },
            Some(StageResult::Failed { .. }) => StageStatus::Failed { hook, hooks },
            Some(StageResult::Skipped { .. }) => StageStatus::Skipped { hooks },
            None if is_claimed => StageStatus::Running { hook, hooks },
            None if hook > 0 => StageStatus::Interrupted { hook, hooks },
            None => StageStatus::Waiting { hooks },
        }
    }
}

fn failed(record: &Record) -> usize {
    let runs = record.runs().into_iter();
    let ends = runs.filter(|run| !run.may_fail).filter_map(|run| run.ended);
    ends.filter(|end| !end.outcome.is_success()).count()
}

impl fmt::Display for StageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StageStatus::None => f.write_str("-"),
            StageStatus::Waiting { hooks } => write!(f, "waiting 0/{hooks}"),
            StageStatus::Running { hook, hooks } => write!(f, "running {hook}/{hooks}"),
            StageStatus::Interrupted { hook, hooks } => write!(f, "interrupted {hook}/{hooks}"),
            StageStatus::Done { hooks, failed: 0 } => write!(f, "done {hooks}/{hooks}"),
            StageStatus::Done { hooks, failed } => write!(f, "done {hooks}/{hooks}, {failed} failed"),
            StageStatus::Failed { hook, hooks } => write!(f, "failed {hook}/{hooks}"),
            StageStatus::Skipped { hooks } => write!(f, "skipped 0/{hooks}"),
        }
    }
}
