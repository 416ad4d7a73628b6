//! The rules of the stages: their order, and the effect of a failure. A plan decides, and does nothing itself.

#[cfg(test)]
mod tests;

use std::mem::replace;

use NotRun::{AfterFailed, AfterSkipped, Interrupted, NotRequested, Stopped};
use thiserror::Error;

use crate::ledger::{Claim, Claimed, Header, StageResult, Trigger};
use crate::model::Stage;

/// The reason why the hooks of a stage are not run, although it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NotRun {
    #[error("its {0} failed")]
    AfterFailed(Stage),
    #[error("its {0} was skipped")]
    AfterSkipped(Stage),
    #[error("no request came before init ran or the container stopped")]
    NotRequested,
    #[error("the container had stopped before it could begin")]
    Stopped,
    /// A hook that had begun has failed; it is too late for the rest.
    #[error("its runner died, and the container was not started")]
    Interrupted,
}

/// Whether the stages before the start did their work.
type Started = Result<(), NotRun>;

/// A stage, as far as a runner knows it. `C` is its claim.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) enum Known<C> {
    /// It was not claimed.
    Unclaimed,
    /// The runner has its claim; a hook may have begun before.
    Ours { claim: C, has_begun: bool },
    /// It is over, or has no hooks.
    Over(StageResult),
}

impl From<Claimed> for Known<Claim> {
    fn from(claimed: Claimed) -> Known<Claim> {
        match claimed {
            Claimed::Over(result) => Known::Over(result),
            Claimed::Ours(claim) => Known::Ours {
                has_begun: claim.record().next() > 0,
                claim,
            },
        }
    }
}

/// The next step of a runner.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) enum Step<C> {
    /// Claim this stage, and let the plan know.
    Claim(Stage),
    /// The same for the poststart of a container that has stopped: usually it is over. Its request `may_come`
    /// yet: the daemon may see the end of init before the poststart of the start call. Then it gets its turn.
    ClaimPoststart { may_come: bool },
    /// Run the hooks of this stage that have not begun, and let the plan know.
    Run(Stage, C),
    /// Finish a stage with this result, without its hooks.
    Finish(C, StageResult),
    /// Nothing is left to do.
    Return(StageResult),
}

/// The steps of a runner.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) struct Plan<C> {
    pub(super) requested: Stage,
    pub(super) by: Trigger,
    /// Those of [`Stage::OF_RUNNER`], in their order.
    stages: [(Stage, Known<C>); 4],
}

impl<C> Plan<C> {
    /// A plan for a runner of the stage `requested`, in the container of `header`.
    pub(super) fn new(requested: Stage, by: Trigger, header: &Header) -> Plan<C> {
        let last = requested.max(Stage::CreateRuntime);
        let known = |stage| match stage == requested || stage <= last && header.count(stage) > 0 {
            true => Known::Unclaimed,
            false => Known::Over(StageResult::Done),
        };
        Plan {
            requested,
            by,
            stages: Stage::OF_RUNNER.map(|stage| (stage, known(stage))),
        }
    }

    /// Lets the plan know the result of a step for `stage`.
    pub(super) fn learn(&mut self, stage: Stage, known: Known<C>) {
        if let Some((_, of)) = self.stages.iter_mut().find(|(of, _)| *of == stage) {
            *of = known;
        }
    }

    /// The next step. A step for a stage that the plan does not get to know is repeated from its claim.
    pub(super) fn next(&mut self) -> Step<C> {
        let requested = self.requested;
        // Its claim comes first, so that no other runner begins it. The others are claimed one at a time.
        match self.stages.iter().find(|(stage, _)| *stage == requested) {
            Some((_, Known::Unclaimed)) => return Step::Claim(requested),
            Some((_, Known::Over(result))) if requested != Stage::Prestart => {
                return Step::Return(result.clone());
            }
            _ => {}
        }
        let mut started = Ok(());
        for (stage, known) in &mut self.stages {
            match known {
                Known::Over(StageResult::Done) => {}
                Known::Over(result) if requested == Stage::Prestart => return Step::Return(result.clone()),
                Known::Over(StageResult::Failed { .. }) => started = started.and(Err(AfterFailed(*stage))),
                Known::Over(StageResult::Skipped { .. }) => started = started.and(Err(AfterSkipped(*stage))),
                Known::Unclaimed if (requested, *stage) == (Stage::Poststop, Stage::Poststart) => {
                    let may_come = started.is_ok() && self.by != Trigger::Oci;
                    return Step::ClaimPoststart { may_come };
                }
                Known::Unclaimed => return Step::Claim(*stage),
                ours @ Known::Ours { .. } => {
                    if let Known::Ours { claim, has_begun } = replace(ours, Known::Unclaimed) {
                        let Err(reason) = may_run(requested, *stage, has_begun, started) else {
                            return Step::Run(*stage, claim);
                        };
                        *ours = Known::Over(reason.result());
                        return Step::Finish(claim, reason.result());
                    }
                }
            }
        }
        Step::Return(StageResult::Done)
    }
}

/// Whether the hooks of a claimed stage run. `has_begun`: some have, and their runner died.
fn may_run(requested: Stage, stage: Stage, has_begun: bool, started: Started) -> Started {
    match (requested, stage) {
        // createRuntime comes directly after a successful prestart, and poststop whatever happened before.
        (Stage::Prestart, _) | (_, Stage::Poststop) => Ok(()),
        // poststart comes after a successful prestart.
        (Stage::Poststart, Stage::Poststart) => started,
        // Before poststop, one whose runner died is continued.
        (_, Stage::Poststart) if has_begun => Ok(()),
        (_, Stage::Poststart) => Err(started.err().unwrap_or(Stopped)),
        // Their time is over.
        _ if has_begun => Err(Interrupted),
        _ => Err(started.err().unwrap_or(NotRequested)),
    }
}

impl NotRun {
    /// The result of a stage whose hooks are not run for this reason.
    fn result(self) -> StageResult {
        let reason = self.to_string();
        match self {
            Interrupted => StageResult::Failed { message: reason },
            _ => StageResult::Skipped { reason },
        }
    }
}
