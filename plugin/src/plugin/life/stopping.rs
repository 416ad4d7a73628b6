//! NRI StopContainer and RemoveContainer.

use std::time::Duration;

use containerd_nri::api::Container;

use super::containers::{Containers, Entered, warn};
use super::starting::await_or_note;
use crate::ledger::Trigger;
use crate::spec::Stage;

impl Containers {
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
        // containerd deletes the container at its end, and waits for the OCI poststop hooks of that.
        // Other runtimes delete it when it is removed.
        let in_time = entered.header.injected && runtime == "containerd";
        if in_time || !self.owes_poststop(&entered)? {
            return Ok(());
        }
        let poststart = entered.owes(Stage::Poststart)?;
        let running = self.start(&entered, Stage::Poststop, Trigger::StopContainer)?;
        if poststart {
            // The event that starts it waits for this answer.
            return Ok(());
        }
        let by = Trigger::StopContainer;
        await_or_note(&entered, Stage::Poststop, by, running, remaining).await?;
        Ok(())
    }

    /// A container is removed: what is still owed to it is paid now, and its records go to the past.
    pub(in crate::plugin) async fn removed(&self, container: &Container, remaining: Duration) {
        if let Err(error) = self.remove(container, remaining).await {
            warn(&error);
        }
        // Also if its entry can no longer be read. A runner that is still at it goes on in the
        // folder, wherever that is.
        if let Ok(id) = container.id.parse() {
            self.archive(&id);
        }
    }

    async fn remove(&self, container: &Container, remaining: Duration) -> anyhow::Result<()> {
        let Some(entered) = self.find(&container.id)? else {
            return Ok(());
        };
        if self.owes_poststop(&entered)? {
            let running = self.start(&entered, Stage::Poststop, Trigger::RemoveContainer)?;
            let by = Trigger::RemoveContainer;
            await_or_note(&entered, Stage::Poststop, by, running, remaining).await?;
        }
        Ok(())
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
