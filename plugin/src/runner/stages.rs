//! The rules of the three stages: what comes before what, and what a failure means.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::container::Container;
use super::list::{self, OnFailure};
use crate::ledger::{Claim, Claimed, LedgerError, StageResult, Trigger};
use crate::model::Stage;

/// How long a program may take from the start call to being executed.
const EXEC_LIMIT: Duration = Duration::from_secs(1);

/// How long a poststart that is still owed is given to take its turn before poststop.
const TURN: Duration = Duration::from_secs(1);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// Runs `stage`, or waits for whoever runs it, or finds it over.
///
/// # Errors
/// The ledger cannot be read or written.
pub(super) fn run(container: &Container, stage: Stage, by: Trigger) -> Result<StageResult, LedgerError> {
    let result = claim_and_run(container, stage, by);
    container.guard_left();
    result
}

fn claim_and_run(container: &Container, stage: Stage, by: Trigger) -> Result<StageResult, LedgerError> {
    // From here on a poststop is owed: whoever calls a runner has seen the container created.
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

/// createRuntime comes directly after a prestart that did its work, and means the same to the container.
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

/// poststart comes after a prestart that did its work, when init executes its program.
pub(super) fn poststart(
    container: &Container,
    claim: Claim,
    by: Trigger,
) -> Result<StageResult, LedgerError> {
    let result = match settle_prestart(container, by)? {
        Err(reason) => claim.finish(StageResult::Skipped { reason })?,
        Ok(()) => {
            if let (Some(init), Some(before)) = (container.init(), container.program_before()) {
                init.await_exec(before, EXEC_LIMIT);
            }
            list::run(container, Stage::Poststart, claim, OnFailure::GoOn)?
        }
    };
    container.note_start_is_over();
    Ok(result)
}

/// poststop comes after both others, whatever became of them.
fn poststop(container: &Container, claim: Claim, by: Trigger) -> Result<StageResult, LedgerError> {
    let prestart = settle_prestart(container, by)?;
    settle_poststart(container, prestart, by)?;
    list::run(container, Stage::Poststop, claim, OnFailure::GoOn)
}

/// Waits for the stages before the start that are at it, and says of one that nobody ran that it never
/// will be. Returns, inside, why the container was not started with them, if so.
fn settle_prestart(container: &Container, by: Trigger) -> Result<Result<(), String>, LedgerError> {
    let mut settled = Ok(());
    for stage in Stage::BEFORE_START {
        if container.header().count(stage) == 0 {
            continue;
        }
        let result = match container.claim(stage, by)? {
            Claimed::Over(result) => result,
            // What had begun has failed; the rest would come too late.
            Claimed::Ours(claim) if claim.record().next() > 0 => {
                let message = "its runner died, and the container was not started".into();
                claim.finish(StageResult::Failed { message })?
            }
            Claimed::Ours(claim) => {
                let not_asked = "nobody asked for it before init ran or the container had stopped";
                let reason = settled.clone().err().unwrap_or_else(|| not_asked.to_owned());
                claim.finish(StageResult::Skipped { reason })?
            }
        };
        settled = settled.and(match result {
            StageResult::Done => Ok(()),
            StageResult::Failed { .. } => Err(format!("its {stage} failed")),
            StageResult::Skipped { .. } => Err(format!("its {stage} was skipped")),
        });
    }
    Ok(settled)
}

/// Waits for a poststart that is at it or waits for the start, goes on with one whose runner died,
/// and skips one that does not come. One that is run when the start has begun may be about to come: the
/// daemon sees init end before that. An OCI runtime that deletes a container has ended its start.
fn settle_poststart(
    container: &Container,
    prestart: Result<(), String>,
    by: Trigger,
) -> Result<(), LedgerError> {
    let hooks = container.header().count(Stage::Poststart);
    if container.directory.is_complete(Stage::Poststart, hooks)? {
        return Ok(());
    }
    if prestart.is_ok() && by != Trigger::Oci {
        give_turn(container)?;
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
fn give_turn(container: &Container) -> Result<(), LedgerError> {
    let directory = &container.directory;
    let give_up = Instant::now() + TURN;
    while directory
        .record(Stage::Poststart)?
        .is_none_or(|record| record.next() == 0)
        && !directory.is_claimed(Stage::Poststart)?
        && Instant::now() < give_up
    {
        sleep(LOOK);
    }
    Ok(())
}
