//! Runs stages as their plan says.

#[cfg(test)]
mod tests;

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::container::Container;
use super::list;
use super::plan::{Known, Plan, Step};
use crate::ledger::{Claim, Claimed, LedgerError, StageResult, Trigger};
use crate::model::Stage;

/// The maximum time from the start call to the execution of the program.
const EXEC_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time that poststop gives a pending poststart to begin.
const POSTSTART_TIMEOUT: Duration = Duration::from_secs(1);

/// The interval between checks whether it has begun.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Runs `stage`, or waits for the runner that runs it, or finds it over.
///
/// # Errors
/// The ledger cannot be read or written.
pub(super) fn run(container: &Container, stage: Stage, by: Trigger) -> Result<StageResult, LedgerError> {
    // From now on poststop is pending: every caller of a runner has seen the container created.
    container.note_created(stage)?;
    let result = follow(container, Plan::new(stage, by, container.header()));
    container.guard_left();
    result
}

/// Runs the poststart that `claim` is for.
///
/// # Errors
/// As [`run`].
pub(super) fn poststart(container: &Container, claim: Claim, by: Trigger) -> Result<(), LedgerError> {
    let mut plan = Plan::new(Stage::Poststart, by, container.header());
    plan.learn(Stage::Poststart, Claimed::Ours(claim).into());
    follow(container, plan).map(drop)
}

fn follow(container: &Container, mut plan: Plan<Claim>) -> Result<StageResult, LedgerError> {
    let (requested, by) = (plan.requested, plan.by);
    loop {
        match plan.next() {
            Step::Claim(stage) => plan.learn(stage, container.claim(stage, by)?.into()),
            Step::ClaimPoststart { may_come } => {
                plan.learn(Stage::Poststart, claim_poststart(container, by, may_come)?);
            }
            Step::Run(stage, claim) => {
                if (requested, stage) == (Stage::Poststart, Stage::Poststart)
                    && let (Some(init), Some(before)) = (container.init(), container.program_before())
                {
                    init.await_exec(before, EXEC_TIMEOUT);
                }
                plan.learn(stage, Known::Over(list::run(container, stage, claim)?));
            }
            Step::Finish(claim, result) => drop(claim.finish(result)?),
            Step::Return(result) => {
                let has_poststart = container.header().count(Stage::Poststart) > 0;
                if requested == Stage::Poststart || requested == Stage::Prestart && !has_poststart {
                    container.note_start_is_over();
                }
                return Ok(result);
            }
        }
    }
}

/// Claims the poststart of a container that has stopped, unless it is over. One that `may_come` gets time to
/// begin.
fn claim_poststart(container: &Container, by: Trigger, may_come: bool) -> Result<Known<Claim>, LedgerError> {
    if let Some(result) = container.directory.finished(Stage::Poststart)? {
        return Ok(Known::Over(result));
    }
    let give_up = Instant::now() + POSTSTART_TIMEOUT;
    while may_come && !has_begun(container)? && Instant::now() < give_up {
        sleep(POLL_INTERVAL);
    }
    container.claim(Stage::Poststart, by).map(Known::from)
}

/// Whether a poststart has begun, or is about to.
fn has_begun(container: &Container) -> Result<bool, LedgerError> {
    let record = container.directory.record(Stage::Poststart)?;
    Ok(record.is_some_and(|record| record.next() > 0) || container.directory.is_claimed(Stage::Poststart)?)
}
