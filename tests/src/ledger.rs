//! The ledger of a node's `nri-oci-hooks`, read from outside while daemon and runners write it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nri_oci_hooks::ledger::{EntryDirectory, Ledger};
pub use nri_oci_hooks::ledger::{
    HookEnd, HookRun, Line, Outcome, Record as StageRecord, StageResult, Trigger,
};
use nri_oci_hooks::model::ContainerId;
pub use nri_oci_hooks::model::ResolvedHook;
pub use nri_oci_hooks::model::Stage;

use crate::wait;

/// The process that has or last had the claim on a stage, as the node counts.
pub fn runner(record: &StageRecord) -> Option<u32> {
    record.lines.iter().rev().find_map(|line| match line {
        Line::Claimed { runner, .. } => Some(*runner),
        _ => None,
    })
}

/// The ledger of a node.
#[derive(Debug, Clone)]
pub struct NodeLedger {
    directory: PathBuf,
}

impl NodeLedger {
    pub(crate) fn new(directory: PathBuf) -> NodeLedger {
        NodeLedger { directory }
    }

    /// Its directory, as `--state-dir` names it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file with the resolved hooks of a container that was not removed.
    pub fn entry(&self, container: &str) -> PathBuf {
        let until_started = self.directory.join("entries").join(container);
        let after_that = self.directory.join("live").join(container).join("entry");
        if after_that.exists() {
            after_that
        } else {
            until_started
        }
    }

    /// The containers that have an entry and were not removed; none if there is no ledger.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn tracked(&self) -> Result<Vec<String>> {
        if !self.directory.exists() {
            return Ok(Vec::new());
        }
        let ids = self.open()?.tracked()?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }

    /// The containers that were removed and are still kept.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn archived(&self) -> Result<Vec<String>> {
        let archived = self.open()?.archived()?;
        Ok(archived
            .iter()
            .map(|container| container.id.to_string())
            .collect())
    }

    /// The record of a stage of a container, removed or not; `None` if there is none.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn record(&self, container: &str, stage: Stage) -> Result<Option<StageRecord>> {
        let Some(directory) = self.find(container)? else {
            return Ok(None);
        };
        Ok(directory.record(stage)?)
    }

    /// Awaits that `look` finds something in the record of a stage of a container.
    ///
    /// # Errors
    /// It does not within [`wait::LIMIT`].
    pub async fn await_in_record<T>(
        &self,
        container: &str,
        stage: Stage,
        look: impl Fn(&StageRecord) -> Option<T>,
    ) -> Result<T> {
        let what = format!("something in the record of {stage} of {container}");
        wait::until(&what, async || {
            Ok(self.record(container, stage)?.and_then(|record| look(&record)))
        })
        .await
    }

    /// Awaits that a stage of a container is over, and returns its record.
    ///
    /// # Errors
    /// It is not within [`wait::LIMIT`].
    pub async fn await_end(&self, container: &str, stage: Stage) -> Result<StageRecord> {
        let is_over = |record: &StageRecord| record.finished().map(|_| record.clone());
        self.await_in_record(container, stage, is_over)
            .await
            .with_context(|| format!("{stage} of {container} is not over"))
    }

    /// The resolved hooks of one stage of a container; none if it is not in the ledger.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn hooks(&self, container: &str, stage: Stage) -> Result<Vec<ResolvedHook>> {
        match self
            .directory
            .exists()
            .then(|| self.find(container))
            .transpose()?
            .flatten()
        {
            Some(directory) => Ok(directory.hooks(stage)?),
            None => Ok(Vec::new()),
        }
    }

    fn find(&self, container: &str) -> Result<Option<EntryDirectory>> {
        let ledger = self.open()?;
        let id: ContainerId = container.parse().map_err(anyhow::Error::msg)?;
        if let Some(directory) = ledger.find(&id)? {
            return Ok(Some(directory));
        }
        // A container that is moved between the two reads is in the archive by now.
        let archived = ledger.archived()?;
        let found = archived.into_iter().rfind(|container| container.id == id);
        Ok(found
            .map(|container| ledger.open_archived(&container))
            .transpose()?
            .flatten())
    }

    fn open(&self) -> Result<Ledger> {
        Ok(Ledger::open(&self.directory)?)
    }
}
