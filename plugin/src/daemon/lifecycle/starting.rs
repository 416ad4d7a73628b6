//! NRI StartContainer and PostStartContainer, which are subscribed to with `events` delivery alone.

use std::io;
use std::time::Duration;

use containerd_nri::api::Container;
use thiserror::Error;

use super::containers::{Containers, Registered, StageError, budget, warn};
use super::runners::Running;
use crate::ledger::{LedgerError, Trigger};
use crate::model::Stage;
use crate::process::{Init, process};

/// The reason why a container must not start.
#[derive(Debug, Error)]
pub(in crate::daemon) enum StartError {
    /// Its records cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A runner cannot be started.
    #[error("cannot run its {stage} hooks: {source}")]
    Runner {
        /// The stage of the hooks.
        stage: Stage,
        /// The kernel's error.
        source: io::Error,
    },
    /// Its hooks have failed; the output of their runner.
    #[error("{0}")]
    Hooks(String),
    /// Its hooks run for too long.
    #[error(
        "its prestart hooks had not ended after {:.1} s, and the runtime waits no longer; raise the \
         runtime's plugin_request_timeout, or use delivery runner",
        .0.as_secs_f64()
    )]
    TimedOut(Duration),
}

impl Containers {
    /// Runs the prestart hooks of a container that is being started, before its init runs its program.
    /// Prepares its poststart, so that the OCI runtime's start waits for it where it can.
    ///
    /// Fails if the container must not start. Then its init is killed: not every runtime obeys the answer.
    pub(in crate::daemon) async fn starting(
        &self,
        container: Container,
        remaining: Duration,
    ) -> Result<(), StartError> {
        let containers = self.clone();
        let starting = async move {
            let may_start = containers.prestart(&container, remaining).await;
            if may_start.is_err() {
                end_init(&container);
            }
            may_start
        };
        self.on_own_thread(starting).await
    }

    async fn prestart(&self, container: &Container, remaining: Duration) -> Result<(), StartError> {
        let Some(registered) = self.find(&container.id)? else {
            return Ok(());
        };
        if registered.header.injected {
            // Its OCI runtime has started the runner, and would have stopped otherwise.
            return Ok(());
        }
        self.watch(&registered, init(container));
        // A runner of prestart prepares poststart when it is done. One of these runners notes the init, for
        // poststop.
        let has_hooks = |stage| registered.header.count(stage) > 0;
        let stage = match Stage::BEFORE_START.into_iter().any(has_hooks) {
            false => Stage::Poststart,
            true => Stage::Prestart,
        };
        let created = registered.seen(container, false);
        let running = self.start(&registered, stage, Trigger::StartContainer, &created);
        let running = running.map_err(|source| StartError::Runner { stage, source })?;
        let limit = budget(remaining);
        match running.within(limit).await {
            Ok(ended) if ended.succeeded => Ok(()),
            Ok(ended) => Err(StartError::Hooks(ended.output)),
            Err(_) => Err(StartError::TimedOut(limit)),
        }
    }

    /// Waits for the poststart hooks of a started container, as long as the event allows, where the OCI
    /// runtime's start has not.
    pub(in crate::daemon) async fn started(&self, container: Container, remaining: Duration) {
        let containers = self.clone();
        let started = async move {
            if let Err(error) = containers.poststart(&container, remaining).await {
                warn(&error);
            }
        };
        self.on_own_thread(started).await;
    }

    async fn poststart(&self, container: &Container, remaining: Duration) -> Result<(), StageError> {
        let Some(registered) = self.find(&container.id)? else {
            return Ok(());
        };
        let (stage, by) = (Stage::Poststart, Trigger::PostStartContainer);
        if registered.header.injected || !registered.is_pending(stage)? {
            return Ok(());
        }
        let created = registered.seen(container, true);
        let running = self.start(&registered, stage, by, &created)?;
        await_or_note(&registered, stage, by, running, remaining).await?;
        Ok(())
    }
}

/// Kills the init of a container that must not start.
pub(in crate::daemon) fn end_init(container: &Container) {
    init(container).into_iter().for_each(Init::kill);
}

/// The init of a container that is being started, as the runtime reports it.
fn init(container: &Container) -> Option<Init> {
    let pid = i32::try_from(container.pid).ok().filter(|pid| *pid > 0)?;
    process(pid).map(Init::new)
}

/// Waits for a runner as long as the event allows. If that is not enough, notes it and returns the runner.
pub(super) async fn await_or_note(
    registered: &Registered,
    stage: Stage,
    by: Trigger,
    running: Running,
    remaining: Duration,
) -> Result<Option<Running>, LedgerError> {
    let limit = budget(remaining);
    match running.within(limit).await {
        Ok(_) => Ok(None),
        Err(running) => {
            registered.files.note_event_timed_out(stage, by, limit)?;
            Ok(Some(running))
        }
    }
}
