//! The rules of the stages: their order, and the effect of a failure.

use std::fmt::Display;
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::container::Container;
use super::list::{self, OnFailure};
use crate::ledger::{Claim, Claimed, LedgerError, StageResult, Trigger};
use crate::model::Stage;

/// The maximum time from the start call to the execution of the program.
const EXEC_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time that poststop gives a pending poststart to begin.
const POSTSTART_TIMEOUT: Duration = Duration::from_secs(1);

/// The interval between checks whether it has begun.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The reason why a container was not started with its stages before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NotStarted {
    #[error("its {0} failed")]
    Failed(Stage),
    #[error("its {0} was skipped")]
    Skipped(Stage),
}

/// Runs `stage`, or waits for the runner that runs it, or finds it over.
///
/// # Errors
/// The ledger cannot be read or written.
pub(super) fn run(container: &Container, stage: Stage, by: Trigger) -> Result<StageResult, LedgerError> {
    let result = claim_and_run(container, stage, by);
    container.guard_left();
    result
}

fn claim_and_run(container: &Container, stage: Stage, by: Trigger) -> Result<StageResult, LedgerError> {
    // From now on poststop is pending: every caller of a runner has seen the container created.
    container.note_created(stage)?;
    let claim = match container.claim(stage, by)? {
        Claimed::Ours(claim) => claim,
        Claimed::Over(StageResult::Done) if stage == Stage::Prestart => return create_runtime(container, by),
        Claimed::Over(result) => return Ok(result),
    };
    match stage {
        Stage::Prestart => {
            let result = match list::run(container, stage, claim, OnFailure::Stop)? {
                StageResult::Done => create_runtime(container, by)?,
                result => result,
            };
            if container.header().count(Stage::Poststart) == 0 {
                container.note_start_is_over();
            }
            Ok(result)
        }
        Stage::Poststart => poststart(container, claim, by),
        _ => poststop(container, claim, by),
    }
}

/// createRuntime comes directly after a successful prestart, and has the same effect on the container.
fn create_runtime(container: &Container, by: Trigger) -> Result<StageResult, LedgerError> {
    let stage = Stage::CreateRuntime;
    if container.header().count(stage) == 0 {
        return Ok(StageResult::Done);
    }
    match container.claim(stage, by)? {
        Claimed::Ours(claim) => list::run(container, stage, claim, OnFailure::Stop),
        Claimed::Over(result) => Ok(result),
    }
}

/// poststart comes after a successful prestart, when init executes its program.
pub(super) fn poststart(
    container: &Container,
    claim: Claim,
    by: Trigger,
) -> Result<StageResult, LedgerError> {
    let result = match resolve_prestart(container, by)? {
        Err(not_started) => claim.finish(skipped(&not_started))?,
        Ok(()) => {
            if let (Some(init), Some(before)) = (container.init(), container.program_before()) {
                init.await_exec(before, EXEC_TIMEOUT);
            }
            list::run(container, Stage::Poststart, claim, OnFailure::Continue)?
        }
    };
    container.note_start_is_over();
    Ok(result)
}

/// poststop comes after both others, whatever their results.
fn poststop(container: &Container, claim: Claim, by: Trigger) -> Result<StageResult, LedgerError> {
    let prestart = resolve_prestart(container, by)?;
    resolve_poststart(container, prestart, by)?;
    list::run(container, Stage::Poststop, claim, OnFailure::Continue)
}

/// Waits for the running stages before the start, and skips those that have not begun. Returns the reason
/// inside if the container was not started with them.
fn resolve_prestart(container: &Container, by: Trigger) -> Result<Result<(), NotStarted>, LedgerError> {
    let mut resolved = Ok(());
    for stage in Stage::BEFORE_START {
        if container.header().count(stage) == 0 {
            continue;
        }
        let result = match container.claim(stage, by)? {
            Claimed::Over(result) => result,
            // A hook that had begun has failed; it is too late for the rest.
            Claimed::Ours(claim) if claim.record().next() > 0 => {
                let message = "its runner died, and the container was not started".into();
                claim.finish(StageResult::Failed { message })?
            }
            Claimed::Ours(claim) => {
                let not_requested = "no request came before init ran or the container stopped";
                claim.finish(match resolved {
                    Ok(()) => skipped(&not_requested),
                    Err(not_started) => skipped(&not_started),
                })?
            }
        };
        resolved = resolved.and(match result {
            StageResult::Done => Ok(()),
            StageResult::Failed { .. } => Err(NotStarted::Failed(stage)),
            StageResult::Skipped { .. } => Err(NotStarted::Skipped(stage)),
        });
    }
    Ok(resolved)
}

/// Waits for a poststart that runs or waits for the start, continues one whose runner died, and skips one
/// that does not come. One that has not begun may be about to: the daemon may see the end of init before the
/// poststart of the start call. An OCI runtime that deletes a container has ended its start.
fn resolve_poststart(
    container: &Container,
    prestart: Result<(), NotStarted>,
    by: Trigger,
) -> Result<(), LedgerError> {
    let hooks = container.header().count(Stage::Poststart);
    if container.directory.is_complete(Stage::Poststart, hooks)? {
        return Ok(());
    }
    if prestart.is_ok() && by != Trigger::Oci {
        await_poststart(container)?;
    }
    let claim = match container.claim(Stage::Poststart, by)? {
        Claimed::Over(_) => return Ok(()),
        Claimed::Ours(claim) => claim,
    };
    if claim.record().next() > 0 {
        list::run(container, Stage::Poststart, claim, OnFailure::Continue)?;
    } else {
        claim.finish(match prestart {
            Ok(()) => skipped(&"the container had stopped before it could begin"),
            Err(not_started) => skipped(&not_started),
        })?;
    }
    Ok(())
}

fn skipped(reason: &dyn Display) -> StageResult {
    StageResult::Skipped {
        reason: reason.to_string(),
    }
}

/// Waits until a poststart has begun, at most for a second.
fn await_poststart(container: &Container) -> Result<(), LedgerError> {
    let directory = &container.directory;
    let give_up = Instant::now() + POSTSTART_TIMEOUT;
    while directory
        .record(Stage::Poststart)?
        .is_none_or(|record| record.next() == 0)
        && !directory.is_claimed(Stage::Poststart)?
        && Instant::now() < give_up
    {
        sleep(POLL_INTERVAL);
    }
    Ok(())
}
