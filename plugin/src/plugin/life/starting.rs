//! NRI StartContainer and PostStartContainer.

use std::time::{Duration, Instant};

use containerd_nri::api::Container;
use tokio::time::timeout;

use super::containers::{Containers, Entered, budget, warn};
use super::runners::Running;
use crate::ledger::{Created, LedgerError, StageResult, Trigger};
use crate::runner::{Init, process};
use crate::spec::Stage;

/// How often is looked whether a runner that this daemon has not started is done, if it does not ring.
const LOOK: Duration = Duration::from_millis(20);

impl Containers {
    /// A container is being started: its prestart hooks are done before its process 1 runs.
    ///
    /// Where the OCI runtime has started the runner, that has been so long ago. If it takes longer
    /// than `remaining`, process 1 is stopped meanwhile, and the runtime's start waits for it.
    ///
    /// Fails with what to tell people if the container must not start. Then its process 1 is killed:
    /// not every runtime heeds the answer.
    pub(in crate::plugin) async fn starting(
        &self,
        container: &Container,
        remaining: Duration,
    ) -> Result<(), String> {
        let may_start = self.prestart(container, remaining).await;
        if may_start.is_err()
            && let Some(init) = self.init(container)
        {
            init.kill();
        }
        may_start
    }

    /// Process 1 of a container that is being started: what the ledger says, or else the runtime.
    fn init(&self, container: &Container) -> Option<Init> {
        let entered = self.find(&container.id).ok().flatten();
        let noted = entered.and_then(|entered| entered.folder.created().ok().flatten());
        let told = || i32::try_from(container.pid).ok().and_then(process);
        let process = noted.and_then(|created| created.process).or_else(told);
        process.map(Init::new)
    }

    async fn prestart(&self, container: &Container, remaining: Duration) -> Result<(), String> {
        let ledger = |error: LedgerError| error.to_string();
        let Some(entered) = self.find(&container.id).map_err(ledger)? else {
            return Ok(());
        };
        // Whoever has finished it has also noted that the container was created.
        if let Some(result) = entered.folder.finished(Stage::Prestart).map_err(ledger)? {
            return verdict(result);
        }
        let created = entered.created(container, false).map_err(ledger)?;
        if entered.header.count(Stage::Prestart) == 0 {
            return Ok(());
        }
        let running = self.start(&entered, Stage::Prestart, Trigger::StartContainer);
        let running = running.map_err(|error| format!("its prestart hooks cannot be run: {error}"))?;
        let limit = budget(remaining);
        match running.within(limit).await {
            Ok(ended) if ended.is_good => Ok(()),
            Ok(ended) => Err(ended.told),
            Err(running) => hold(&entered, created, running, limit),
        }
    }

    /// Goes on with prestarts that an earlier daemon let go on behind its event, if that has died
    /// and nobody is left who would let process 1 go on or kill it. The runtime waits for that with
    /// a lock, and calls no plugin before.
    pub(in crate::plugin) fn resume_held(&self) {
        let ids = match self.ledger().live() {
            Ok(ids) => ids,
            Err(error) => return warn(&error),
        };
        for id in ids {
            // What cannot be read is told of when its container is come to.
            let Ok(Some(entered)) = self.find(id.as_str()) else {
                continue;
            };
            if is_held(&entered).unwrap_or(false) {
                let _about = entered.span().entered();
                let init = entered
                    .folder
                    .created()
                    .ok()
                    .flatten()
                    .as_ref()
                    .and_then(Init::of);
                match self.start(&entered, Stage::Prestart, Trigger::StartContainer) {
                    Ok(running) => {
                        tracing::warn!("going on with its prestart, which an earlier daemon waited for");
                        kill_unless_good(init, running);
                    }
                    Err(error) => {
                        warn(&error);
                        init.into_iter().for_each(Init::kill);
                    }
                }
            }
        }
    }

    /// A container was started: its poststart hooks are run now. Answers when they are done, or
    /// when the time is up.
    pub(in crate::plugin) async fn started(&self, container: &Container, remaining: Duration) {
        if let Err(error) = self.poststart(container, remaining).await {
            warn(&error);
        }
    }

    async fn poststart(&self, container: &Container, remaining: Duration) -> anyhow::Result<()> {
        let Some(entered) = self.find(&container.id)? else {
            return Ok(());
        };
        let (stage, by) = (Stage::Poststart, Trigger::PostStartContainer);
        let began = Instant::now();
        loop {
            // From here on: it may ring while it is looked.
            let rung = self.rung();
            if !entered.owes(stage)? {
                break;
            }
            if !entered.folder.is_claimed(stage)? {
                let running = self.start(&entered, stage, by)?;
                let remaining = remaining.saturating_sub(began.elapsed());
                await_or_note(&entered, stage, by, running, remaining).await?;
                break;
            }
            // The runner that the OCI runtime has started is at it.
            if began.elapsed() >= budget(remaining) {
                entered.folder.note_late(stage, by, began.elapsed())?;
                break;
            }
            let _ = timeout(LOOK, rung).await;
        }
        Ok(())
    }
}

/// Waits for a runner as long as the event allows. If that is not enough, notes it and gives the
/// runner back.
pub(super) async fn await_or_note(
    entered: &Entered,
    stage: Stage,
    by: Trigger,
    running: Running,
    remaining: Duration,
) -> Result<Option<Running>, LedgerError> {
    let began = Instant::now();
    match running.within(budget(remaining)).await {
        Ok(_) => Ok(None),
        Err(running) => {
            entered.folder.note_late(stage, by, began.elapsed())?;
            Ok(Some(running))
        }
    }
}

/// Whether a container may start whose prestart ended so.
fn verdict(result: StageResult) -> Result<(), String> {
    match result {
        StageResult::Done => Ok(()),
        StageResult::Failed { message } => Err(message),
        StageResult::Skipped { reason } => Err(format!("prestart hooks were skipped: {reason}")),
    }
}

/// Kills process 1 when a runner behind an event has ended without letting it go on. The runner has
/// done so itself, unless it was killed.
fn kill_unless_good(init: Option<Init>, running: Running) {
    tokio::spawn(async move {
        if !running.end().await.is_good {
            init.into_iter().for_each(Init::kill);
        }
    });
}

/// Lets prestart go on behind an event that must be answered now: process 1 is stopped, which the
/// runner ends.
fn hold(
    entered: &Entered,
    created: Option<Created>,
    running: Running,
    waited: Duration,
) -> Result<(), String> {
    let Some(init) = created.as_ref().and_then(Init::of) else {
        return Err(
            "its prestart hooks take longer than the runtime waits, and it told no process to stop".into(),
        );
    };
    // On record before it is done: whoever dies from here on, the next daemon finds it held.
    let noted = entered
        .folder
        .note_late(Stage::Prestart, Trigger::StartContainer, waited);
    noted.map_err(|error| error.to_string())?;
    init.freeze();
    match entered.folder.finished(Stage::Prestart) {
        Ok(None) => kill_unless_good(Some(init), running),
        // It ended in this moment, and what it did to process 1 may have come before the stop.
        Ok(Some(result)) => {
            verdict(result)?;
            init.resume();
        }
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

/// Whether an earlier daemon has left its process 1 stopped until its prestart is over.
fn is_held(entered: &Entered) -> Result<bool, LedgerError> {
    let Some(created) = entered.folder.created()? else {
        return Ok(false);
    };
    let (Some(init), Some(before)) = (Init::of(&created), created.program) else {
        return Ok(false);
    };
    let by_us = || -> Result<bool, LedgerError> {
        let record = entered.folder.record(Stage::Prestart)?.unwrap_or_default();
        Ok(record.late().any(|(by, _)| by == Trigger::StartContainer))
    };
    Ok(init.is_held(before) && by_us()?)
}
