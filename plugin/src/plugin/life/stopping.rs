//! NRI StopContainer and RemoveContainer.

use std::time::Duration;

use containerd_nri::api::Container;
use tokio::time::sleep;
use tracing::Instrument;

use super::containers::{Containers, Entered, warn};
use super::runners::Running;
use super::starting::await_or_note;
use crate::ledger::{ContainerId, LedgerError, Trigger};
use crate::spec::Stage;

/// How long an OCI runtime may take to delete a container that its runtime has begun to remove.
const DELETED: Duration = Duration::from_secs(60);

/// After how long is tried again what could not be paid: the node lacked processes, or room on its
/// disk. Each time it is ten times as long, up to [`RARELY`].
const SOON: Duration = Duration::from_secs(1);

/// How often is looked after what is nobody's hurry.
pub(super) const RARELY: Duration = Duration::from_secs(10 * 60);

impl Containers {
    /// Whether this `runtime` must tell of containers that have stopped: not if the OCI runtime of each
    /// starts the runner at this moment itself. An event that nobody needs still costs each stop its
    /// time.
    pub(in crate::plugin) fn needs_stops(&self, runtime: &str) -> bool {
        // What cannot be read is told of when its container is come to.
        let starts_it = |id: &ContainerId| {
            let entered = self.find(id.as_str());
            entered.is_ok_and(|entered| entered.is_none_or(|entered| entered.header.injected))
        };
        let ids = self.ledger().live().inspect_err(|error| warn(error));
        !deletes_at_the_end(runtime) || !ids.is_ok_and(|ids| ids.iter().all(starts_it))
    }

    /// A container has stopped: its poststop hooks are run now, unless the OCI runtime of this
    /// `runtime` starts the runner at this moment itself.
    pub(in crate::plugin) async fn stopped(&self, container: &Container, runtime: &str, remaining: Duration) {
        if let Err(error) = self.stop(container, runtime, remaining).await {
            warn(&error);
        }
    }

    async fn stop(&self, container: &Container, runtime: &str, remaining: Duration) -> anyhow::Result<()> {
        let Some(entered) = self.find(&container.id)? else {
            return Ok(());
        };
        let in_time = entered.header.injected && deletes_at_the_end(runtime);
        if in_time || !self.owes_poststop(&entered)? {
            return Ok(());
        }
        let by = Trigger::StopContainer;
        // A poststart that nobody is at is started by an event that waits for this answer.
        let waits_for_us = entered.owes(Stage::Poststart)? && !entered.folder.is_claimed(Stage::Poststart)?;
        let running = self.start(&entered, Stage::Poststop, by)?;
        let remaining = if waits_for_us { Duration::ZERO } else { remaining };
        await_or_note(&entered, Stage::Poststop, by, running, remaining).await?;
        Ok(())
    }

    /// A container is removed: what is still owed to it is paid now, and its records go to the past.
    /// What takes longer is paid behind; until then the container stays where a runner that the OCI
    /// runtime starts finds it, and the next daemon.
    pub(in crate::plugin) async fn removed(&self, container: &Container, runtime: &str, remaining: Duration) {
        if let Err(error) = self.remove(container, runtime, remaining).await {
            warn(&error);
        }
    }

    async fn remove(&self, container: &Container, runtime: &str, remaining: Duration) -> anyhow::Result<()> {
        let entered = match self.find(&container.id) {
            Ok(Some(entered)) => entered,
            Ok(None) => return Ok(()),
            Err(error) => {
                // What is damaged is never read again.
                if let (true, Ok(id)) = (error.is_damaged(), container.id.parse()) {
                    self.archive(&id);
                }
                return Err(error.into());
            }
        };
        if entered.header.injected && !deletes_at_the_end(runtime) && entered.folder.created()?.is_none() {
            // Nobody was there to see whether the OCI runtime has created it. If so, that is about to
            // delete it, and starts the runner.
            self.settle_behind(entered, None, DELETED);
            return Ok(());
        }
        if !self.is_owed_or_archived(&entered)? {
            return Ok(());
        }
        let by = Trigger::RemoveContainer;
        let running = self.start(&entered, Stage::Poststop, by);
        let running = match running.inspect_err(|error| warn(error)) {
            Ok(running) => await_or_note(&entered, Stage::Poststop, by, running, remaining).await?,
            Err(_) => None,
        };
        if running.is_some() || self.is_still_owed(&entered)? {
            self.settle_behind(entered, running, Duration::ZERO);
        }
        Ok(())
    }

    /// Brings to an end what is owed to a container that its runtime no longer has, and puts its
    /// records aside, behind the event and not before `pause` has passed. `running` is at it already.
    pub(super) fn settle_behind(&self, entered: Entered, running: Option<Running>, pause: Duration) {
        let containers = self.clone();
        let span = entered.span();
        let settle = async move {
            sleep(pause).await;
            if let Some(running) = running {
                running.end().await;
            }
            let mut pause = SOON;
            while containers.is_still_owed(&entered).unwrap_or_else(|error| {
                warn(&error);
                true
            }) {
                sleep(pause).await;
                pause = RARELY.min(pause * 10);
                match containers.start(&entered, Stage::Poststop, Trigger::RemoveContainer) {
                    Ok(running) => drop(running.end().await),
                    Err(error) => warn(&error),
                }
            }
        };
        tokio::spawn(settle.instrument(span));
    }

    /// Whether something is owed to a container that its runtime no longer has. If not, or if that
    /// can never be told again, its records are put aside.
    pub(super) fn is_owed_or_archived(&self, entered: &Entered) -> anyhow::Result<bool> {
        match self.owes_poststop(entered) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) if !is_damaged(&error) => return Err(error),
            Err(error) => warn(&error),
        }
        self.archive(&entered.id);
        Ok(false)
    }

    /// As [`Containers::is_owed_or_archived`], after a runner was at it: hooks that it could not read
    /// are never read.
    pub(super) fn is_still_owed(&self, entered: &Entered) -> anyhow::Result<bool> {
        if !self.is_owed_or_archived(entered)? {
            return Ok(false);
        }
        let mut hooks = [Stage::Poststart, Stage::Poststop]
            .into_iter()
            .map(|stage| entered.folder.hooks(stage));
        let are_damaged = hooks.any(|read| read.is_err_and(|error| error.is_damaged()));
        if are_damaged {
            self.archive(&entered.id);
        }
        Ok(!are_damaged)
    }

    /// Whether something is still to be done for a container that has stopped. The runner of
    /// poststop also settles what should have come before it.
    pub(super) fn owes_poststop(&self, entered: &Entered) -> anyhow::Result<bool> {
        if entered.folder.created()?.is_none() {
            // The OCI runtime never created it.
            return Ok(false);
        }
        Ok(entered.owes(Stage::Poststop)? || entered.owes(Stage::Poststart)?)
    }
}

/// Whether an error says that a file of the ledger will never be read again.
pub(super) fn is_damaged(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(LedgerError::is_damaged)
}

/// Whether a runtime deletes a container at its end, and waits for the OCI poststop hooks of that, as
/// containerd does. Others delete it when it is removed.
fn deletes_at_the_end(runtime: &str) -> bool {
    runtime == "containerd"
}
