//! Runs a stage's list.

#[cfg(test)]
mod tests;

use std::io;

use super::container::Container;
use super::message;
use super::supervisor::{self, Job};
use crate::ledger::{Claim, Header, LedgerError, Outcome, Output, Record, StageResult};
use crate::model::{ResolvedHook, Stage};
use crate::process::cgroup;

/// The next step in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'h> {
    /// The hook with this index runs.
    Hook(usize, &'h ResolvedHook),
    /// No more hooks run.
    Over(StageResult),
}

/// The step of `stage` after its `record` up to now. The first failure ends a stage before the start. In
/// poststart (iSulad's rule) and poststop, the hooks after it run nevertheless.
pub(super) fn next<'h>(
    header: &Header,
    stage: Stage,
    hooks: &'h [ResolvedHook],
    record: &Record,
) -> Next<'h> {
    if Stage::BEFORE_START.contains(&stage)
        && let Some(message) = message::last_failure(header, stage, record)
    {
        return Next::Over(StageResult::Failed { message });
    }
    let index = record.next();
    let hook = hooks.get(index);
    hook.map_or(Next::Over(StageResult::Done), |hook| Next::Hook(index, hook))
}

/// Runs the hooks of `stage` that have not begun, in order, and finishes it.
///
/// # Errors
/// The ledger cannot be read or written. Then no more hooks are run, because a hook must be on record before
/// it begins.
pub(super) fn run(container: &Container, stage: Stage, claim: Claim) -> Result<StageResult, LedgerError> {
    let hooks = container.hooks(stage)?;
    let state = container.state_for(stage)?.to_file();
    let mut _supervisor = None;
    let result = run_by(container.header(), stage, &hooks, claim, |claim, index, hook| {
        let state = match &state {
            Ok(state) => state,
            Err(error) => return claim.ended(index, not_stored(error), Output::default(), Output::default()),
        };
        let job = Job {
            index,
            hook,
            state,
            bundle: container.bundle(),
            group: container.group(stage, index),
        };
        let (supervisor, left) = supervisor::run(claim, &job)?;
        _supervisor = supervisor;
        container.leave(left);
        Ok(())
    });
    if stage == Stage::Poststop && result.is_ok() {
        cgroup::sweep();
    }
    result
}

/// The same with `execute`, which runs one hook and records its end.
fn run_by<'h>(
    header: &Header,
    stage: Stage,
    hooks: &'h [ResolvedHook],
    mut claim: Claim,
    mut execute: impl FnMut(&mut Claim, usize, &'h ResolvedHook) -> Result<(), LedgerError>,
) -> Result<StageResult, LedgerError> {
    loop {
        match next(header, stage, hooks, claim.record()) {
            Next::Over(result) => return claim.finish(result),
            Next::Hook(index, hook) => {
                claim.began(index, hook)?;
                execute(&mut claim, index, hook)?;
            }
        }
    }
}

fn not_stored(error: &io::Error) -> Outcome {
    Outcome::NotExecuted {
        reason: format!("cannot store its state in memory: {error}"),
    }
}
