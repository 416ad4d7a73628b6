//! NRI StopContainer and RemoveContainer.

use std::time::Duration;

use containerd_nri::api::Container;
use tokio::time::sleep;
use tracing::Instrument;

use super::containers::{Containers, Registered, StageError, warn};
use super::starting::await_or_note;
use crate::ledger::{LedgerError, Trigger};
use crate::model::{ContainerId, Stage};

/// The pause before a failed action is tried again: the node lacked processes, or space on its disk. Each
/// pause is ten times as long, up to [`LONG_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The maximum interval between checks whether a ledger that was full has space.
const MAX_RETRY: Duration = Duration::from_secs(10);

/// The interval at which actions without urgency are tried again.
pub(super) const LONG_RETRY: Duration = Duration::from_secs(10 * 60);

impl Containers {
    /// Whether containers from before depend on all events: their OCI runtime starts no runner.
    pub(in crate::daemon) fn need_all_events(&self) -> bool {
        // An unreadable record is reported when its container is next needed.
        let depends = |id: &ContainerId| {
            let registered = self.find(id.as_str());
            registered.is_ok_and(|found| found.is_some_and(|registered| !registered.header.injected))
        };
        // The others were started by a runner of their OCI runtime.
        let ids = self.ledger().starting().inspect_err(|error| warn(error));
        ids.is_ok_and(|ids| ids.iter().any(depends))
    }

    /// Runs the poststop hooks of a stopped container, unless the OCI runtime starts the runner at this
    /// moment itself. Waits for them as long as the event allows.
    pub(in crate::daemon) async fn stopped(&self, container: Container, remaining: Duration) {
        let containers = self.clone();
        let stopped = async move {
            if let Err(error) = containers.stop(&container, remaining).await {
                warn(&error);
            }
        };
        self.on_own_thread(stopped).await;
    }

    async fn stop(&self, container: &Container, remaining: Duration) -> Result<(), StageError> {
        let Some(registered) = self.find(&container.id)? else {
            return Ok(());
        };
        let in_time = registered.header.injected && self.deletes_at_end();
        if in_time || !self.has_pending(&registered)? {
            return Ok(());
        }
        // The task that saw init end may have started one: then this one waits for it.
        let by = Trigger::StopContainer;
        let running = self.start_poststop(&registered, by)?;
        // A poststart without a runner is run in an event that waits for this answer. For a program that
        // ends at once, the stop is reported before the start.
        let files = &registered.files;
        let waits_for_us = !registered.header.injected
            && registered.is_pending(Stage::Poststart)?
            && !files.is_claimed(Stage::Poststart)?;
        let remaining = if waits_for_us { Duration::ZERO } else { remaining };
        await_or_note(&registered, Stage::Poststop, by, running, remaining).await?;
        Ok(())
    }

    /// Runs pending stages of a removed container, then archives its records, all in the background of the
    /// event. Until then a runner of the OCI runtime and the next daemon find the container at the same
    /// path.
    pub(in crate::daemon) fn removed(&self, handler: String, container: Container) {
        let containers = self.clone();
        self.behind(async move {
            if let Err(error) = containers.remove(&handler, &container).await {
                warn(&error);
            }
        });
    }

    async fn remove(&self, handler: &str, container: &Container) -> Result<(), LedgerError> {
        if self.is_being_created(container) {
            return Ok(());
        }
        let registered = match self.find(&container.id) {
            Ok(Some(registered)) => registered,
            Ok(None) => {
                let id: Option<ContainerId> = container.id.parse().ok();
                return id.map_or(Ok(()), |id| self.ledger().forget_without(&id));
            }
            Err(error) => {
                // Damaged records are never read again.
                if let (true, Ok(id)) = (error.is_damaged(), container.id.parse()) {
                    self.archive(&id);
                }
                return Err(error);
            }
        };
        if registered.header.injected {
            let was_started = registered.files.created()?.is_some();
            self.handlers().note(handler, container, was_started);
        }
        self.resolve(registered, Trigger::RemoveContainer).await;
        Ok(())
    }

    /// A runner of the container could not write the record of `stage`, because of this `trouble`, and has
    /// run nothing more. A poststop is tried again as soon as the ledger has space.
    pub(in crate::daemon) fn cannot_record(&self, id: &ContainerId, stage: Stage, trouble: &str) {
        let (containers, id, trouble) = (self.clone(), id.clone(), trouble.to_owned());
        if stage == Stage::Poststop {
            self.unrecorded().insert(id.clone());
        }
        self.behind(async move {
            let registered = match containers.find(id.as_str()) {
                Ok(Some(registered)) => registered,
                Ok(None) => return,
                Err(error) => return warn(&error),
            };
            let span = registered.span();
            span.in_scope(|| {
                tracing::error!(%stage, "its hooks wait, because the ledger cannot record them: {trouble}");
            });
            if stage == Stage::Poststop {
                containers.retry_poststop(registered).instrument(span).await;
                containers.unrecorded().remove(&id);
            }
        });
    }

    async fn retry_poststop(&self, registered: Registered) {
        let mut pause = FIRST_RETRY;
        loop {
            sleep(pause).await;
            pause = MAX_RETRY.min(pause * 2);
            let is_pending = registered.is_pending(Stage::Poststop);
            let is_removed = self
                .ledger()
                .find(&registered.id)
                .is_ok_and(|found| found.is_none());
            match is_pending {
                // The removal runs pending hooks.
                _ if is_removed => return,
                Ok(false) => return,
                Err(error) if error.is_damaged() => return warn(&error),
                _ if !self.ledger().has_space() => continue,
                _ => {}
            }
            match self.start_poststop(&registered, Trigger::InitEnded) {
                Ok(running) => drop(running.end().await),
                Err(error) => warn(&error),
            }
        }
    }

    /// Runs the pending hooks of a container that its runtime no longer has, and archives its records.
    pub(super) async fn resolve(&self, registered: Registered, by: Trigger) {
        let span = registered.span();
        let resolve = async {
            let mut pause = FIRST_RETRY;
            while self.is_pending_or_archived(&registered) {
                match self.start_poststop(&registered, by) {
                    Ok(running) => drop(running.end().await),
                    Err(error) => warn(&error),
                }
                if !self.is_pending_or_archived(&registered) || self.archive_unreadable(&registered) {
                    return;
                }
                sleep(pause).await;
                pause = LONG_RETRY.min(pause * 10);
            }
        };
        resolve.instrument(span).await;
    }

    /// Whether a container that its runtime no longer has, has pending hooks. If not, or if that can never
    /// be known again, its records are archived.
    fn is_pending_or_archived(&self, registered: &Registered) -> bool {
        match self.has_pending(registered) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) if !error.is_damaged() => {
                warn(&error);
                return true;
            }
            Err(error) => warn(&error),
        }
        self.archive(&registered.id);
        false
    }

    /// Archives a container with hooks that can never be read, as a runner has found. Returns whether it is
    /// such a container.
    fn archive_unreadable(&self, registered: &Registered) -> bool {
        let mut hooks = [Stage::Poststart, Stage::Poststop]
            .into_iter()
            .map(|stage| registered.files.hooks(stage));
        let are_damaged = hooks.any(|read| read.is_err_and(|error| error.is_damaged()));
        if are_damaged {
            self.archive(&registered.id);
        }
        are_damaged
    }

    /// Whether a stopped container has pending stages. The runner of poststop also resolves the stages
    /// before it.
    pub(super) fn has_pending(&self, registered: &Registered) -> Result<bool, LedgerError> {
        if registered.files.created()?.is_none() && !self.unrecorded().contains(&registered.id) {
            // The OCI runtime never created it.
            return Ok(false);
        }
        Ok(registered.is_pending(Stage::Poststop)? || registered.is_pending(Stage::Poststart)?)
    }
}
