//! The rules of the stages: their order, and the effect of a failure.

use std::thread::sleep;
use std::time::{Duration, Instant};

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
        Err(reason) => claim.finish(StageResult::Skipped { reason })?,
        Ok(()) => {
            if let (Some(init), Some(before)) = (container.init(), container.program_before()) {
                init.await_exec(before, EXEC_TIMEOUT);
            }
            list::run(container, Stage::Poststart, claim, OnFailure::GoOn)?
        }
    };
    container.note_start_is_over();
    Ok(result)
}

/// poststop comes after both others, whatever their results.
fn poststop(container: &Container, claim: Claim, by: Trigger) -> Result<StageResult, LedgerError> {
    let prestart = resolve_prestart(container, by)?;
    resolve_poststart(container, prestart, by)?;
    list::run(container, Stage::Poststop, claim, OnFailure::GoOn)
}

/// Waits for the running stages before the start, and skips those that have not begun. Returns the reason
/// inside if the container was not started with them.
fn resolve_prestart(container: &Container, by: Trigger) -> Result<Result<(), String>, LedgerError> {
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
                let reason = resolved.clone().err().unwrap_or_else(|| not_requested.to_owned());
                claim.finish(StageResult::Skipped { reason })?
            }
        };
        resolved = resolved.and(match result {
            StageResult::Done => Ok(()),
            StageResult::Failed { .. } => Err(format!("its {stage} failed")),
            StageResult::Skipped { .. } => Err(format!("its {stage} was skipped")),
        });
    }
    Ok(resolved)
}

/// Waits for a poststart that runs or waits for the start, continues one whose runner died, and skips one
/// that does not come. One that has not begun may be about to: the daemon may see the end of init before the
/// poststart of the start call. An OCI runtime that deletes a container has ended its start.
fn resolve_poststart(
    container: &Container,
    prestart: Result<(), String>,
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
        list::run(container, Stage::Poststart, claim, OnFailure::GoOn)?;
    } else {
        let reason = prestart
            .err()
            .unwrap_or_else(|| "the container had stopped before it could begin".into());
        claim.finish(StageResult::Skipped { reason })?;
    }
    Ok(())
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
