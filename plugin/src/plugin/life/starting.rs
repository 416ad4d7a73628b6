//! NRI StartContainer and PostStartContainer.

use std::time::{Duration, Instant};

use containerd_nri::api::Container;

use super::containers::{Containers, Entered, budget, warn};
use super::runners::Running;
use crate::ledger::{Created, LedgerError, StageResult, Trigger};
use crate::runner::Init;
use crate::spec::Stage;

impl Containers {
    /// A container is being started: its prestart hooks are done before its process 1 runs.
    ///
    /// Where the OCI runtime has started the runner, that has been so long ago. If it takes longer
    /// than `remaining`, process 1 is stopped meanwhile, and the runtime's start waits for it.
    ///
    /// Fails with what to tell people if the container must not start.
    pub(in crate::plugin) async fn starting(
        &self,
        container: &Container,
        remaining: Duration,
    ) -> Result<(), String> {
        let ledger = |error: LedgerError| error.to_string();
        let Some(entered) = self.find(&container.id).map_err(ledger)? else {
            return Ok(());
        };
        let created = entered.created(container).map_err(ledger)?;
        if entered.header.count(Stage::Prestart) == 0 {
            return Ok(());
        }
        if let Some(result) = result(&entered).map_err(ledger)? {
            return verdict(&created, result);
        }
        let running = self.start(&entered, Stage::Prestart, Trigger::StartContainer);
        let running = running.map_err(|error| format!("its prestart hooks cannot be run: {error}"))?;
        let limit = budget(remaining);
        match running.within(limit).await {
            Ok(ended) if ended.is_good => Ok(()),
            Ok(ended) => Err(ended.told),
            Err(running) => {
                hold(&entered, created, running, limit).map_err(ledger)?;
                Ok(())
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
        if entered.owes(Stage::Poststart)? {
            let running = self.start(&entered, Stage::Poststart, Trigger::PostStartContainer)?;
            await_or_note(
                &entered,
                Stage::Poststart,
                Trigger::PostStartContainer,
                running,
                remaining,
            )
            .await?;
        }
        Ok(())
    }
}

/// Waits for a runner as long as the event allows, and notes it if that was not enough.
pub(super) async fn await_or_note(
    entered: &Entered,
    stage: Stage,
    by: Trigger,
    running: Running,
    remaining: Duration,
) -> Result<(), LedgerError> {
    let began = Instant::now();
    if running.within(budget(remaining)).await.is_err() {
        entered.folder.note_late(stage, by, began.elapsed())?;
    }
    Ok(())
}

fn result(entered: &Entered) -> Result<Option<StageResult>, LedgerError> {
    let record = entered.folder.record(Stage::Prestart)?;
    Ok(record.and_then(|record| record.finished().cloned()))
}

/// Whether a container may start whose prestart ended so.
fn verdict(created: &Option<Created>, result: StageResult) -> Result<(), String> {
    let reason = match result {
        StageResult::Done => return Ok(()),
        StageResult::Failed { message } => message,
        StageResult::Skipped { reason } => format!("prestart hooks were skipped: {reason}"),
    };
    // Not every runtime heeds the answer.
    if let Some(init) = created.as_ref().and_then(Init::of) {
        init.kill();
    }
    Err(reason)
}

/// Lets prestart go on behind an event that must be answered now: process 1 is stopped, which the
/// runner ends.
fn hold(
    entered: &Entered,
    created: Option<Created>,
    running: Running,
    waited: Duration,
) -> Result<(), LedgerError> {
    let Some(init) = created.as_ref().and_then(Init::of) else {
        return Ok(());
    };
    init.freeze();
    if result(entered)?.is_some() {
        // It ended in this moment, and what it did to process 1 may have come before the stop.
        init.resume();
        return Ok(());
    }
    entered
        .folder
        .note_late(Stage::Prestart, Trigger::StartContainer, waited)?;
    tokio::spawn(async move {
        if !running.end().await.is_good {
            // The runner has done so, unless it was killed itself.
            init.kill();
        }
    });
    Ok(())
}
