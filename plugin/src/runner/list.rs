//! Going through a stage's list.

use std::fs::File;
use std::io;

use super::container::Container;
use super::message;
use super::watcher::{self, Watcher};
use crate::ledger::{Claim, LedgerError, Outcome, Output, StageResult};
use crate::select::FrozenHook;
use crate::spec::Stage;

/// What a failing hook means to those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// They are not run, and the stage has failed: prestart.
    Stop,
    /// They are run all the same: poststart (iSulad's rule) and poststop.
    GoOn,
}

/// Runs what of `stage` has not begun, in order, and finishes it.
///
/// # Errors
/// The ledger cannot be read or written. Then nothing more is run: a hook must be on record before
/// it begins.
pub(super) fn run(
    container: &Container,
    stage: Stage,
    mut claim: Claim,
    on_failure: OnFailure,
) -> Result<StageResult, LedgerError> {
    let hooks = container.hooks(stage)?;
    let state = container.state_for(stage).to_file();
    let mut _watcher = None;
    loop {
        if on_failure == OnFailure::Stop
            && let Some(message) = message::last_failure(container.header(), stage, claim.record())
        {
            return claim.finish(StageResult::Failed { message });
        }
        let index = claim.record().next();
        let Some(hook) = hooks.get(index) else {
            return claim.finish(StageResult::Done);
        };
        claim.began(index, hook)?;
        _watcher = run_one(&mut claim, index, hook, &state, container.bundle())?;
    }
}

fn run_one(
    claim: &mut Claim,
    index: usize,
    hook: &FrozenHook,
    state: &io::Result<File>,
    bundle: &str,
) -> Result<Option<Watcher>, LedgerError> {
    match state {
        Ok(state) => watcher::run(claim, index, hook, state, bundle),
        Err(error) => {
            let reason = format!("its state cannot be put into memory: {error}");
            let outcome = Outcome::NotExecuted { reason };
            claim.ended(index, outcome, Output::default(), Output::default())?;
            Ok(None)
        }
    }
}
