//! Runs a stage's list.

use std::io;

use super::container::Container;
use super::guard::Left;
use super::message;
use super::supervisor::{self, Job, Supervisor};
use crate::ledger::{Claim, LedgerError, Outcome, Output, StageResult};
use crate::model::Stage;
use crate::process::cgroup;

/// The effect of a failed hook on the hooks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// They are not run, and the stage has failed: prestart.
    Stop,
    /// They are run nevertheless: poststart (iSulad's rule) and poststop.
    Continue,
}

/// Runs the hooks of `stage` that have not begun, in order, and finishes it.
///
/// # Errors
/// The ledger cannot be read or written. Then no more hooks are run, because a hook must be on record before
/// it begins.
pub(super) fn run(
    container: &Container,
    stage: Stage,
    mut claim: Claim,
    on_failure: OnFailure,
) -> Result<StageResult, LedgerError> {
    let hooks = container.hooks(stage)?;
    let state = container.state_for(stage)?.to_file();
    let mut _supervisor;
    loop {
        if on_failure == OnFailure::Stop
            && let Some(message) = message::last_failure(container.header(), stage, claim.record())
        {
            return claim.finish(StageResult::Failed { message });
        }
        let index = claim.record().next();
        let Some(hook) = hooks.get(index) else {
            let result = claim.finish(StageResult::Done);
            if stage == Stage::Poststop {
                cgroup::sweep();
            }
            return result;
        };
        claim.began(index, hook)?;
        let job = |state| Job {
            index,
            hook,
            state,
            bundle: container.bundle(),
            group: container.group(stage, index),
        };
        let (supervisor, left) = run_one(&mut claim, index, state.as_ref().map(job))?;
        _supervisor = supervisor;
        container.leave(left);
    }
}

fn run_one(
    claim: &mut Claim,
    index: usize,
    job: Result<Job<'_>, &io::Error>,
) -> Result<(Option<Supervisor>, Option<Left>), LedgerError> {
    match job {
        Ok(job) => supervisor::run(claim, &job),
        Err(error) => {
            let reason = format!("cannot store its state in memory: {error}");
            let outcome = Outcome::NotExecuted { reason };
            claim.ended(index, outcome, Output::default(), Output::default())?;
            Ok((None, None))
        }
    }
}
