//! The plugin: the configuration, the ledger and the findings that all its event handlers share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use containerd_nri::Status;
use tokio::task::spawn_blocking;

use super::active::ActiveConfiguration;
use super::applied::AppliedConfig;
use super::lazy_ledger::NoLedger;
use super::lifecycle::{Containers, RunnerProgram};
use super::missed::Missed;
use super::selectable::Selectable;
use crate::bounded::answered;
use crate::config::{Config, ConfigSource, FailurePolicy};
use crate::model::{ContainerId, Stage, bounded_list};

/// Gives containers their hooks.
#[derive(Debug, Clone)]
pub struct OciHooks {
    configuration: Arc<ActiveConfiguration>,
    /// Whether the runtime has listed its containers while no ledger was open.
    pub(super) missed_synchronize: Arc<AtomicBool>,
    /// The time when the runtime resumed the connection of an earlier daemon.
    pub(super) resumed: Arc<OnceLock<Instant>>,
    /// Whether the source of the configuration is known.
    was_loaded: Arc<AtomicBool>,
    /// The runtime's name for itself.
    runtime: Arc<Mutex<String>>,
    /// The containers that were created without their hooks.
    missed: Arc<Missed>,
    /// The hook-specs that pods may select.
    selectable: Arc<Selectable>,
}

impl OciHooks {
    /// A plugin with the configuration of `source`, refreshed when that changes, unless the runtime hands
    /// one over. `runner` is run as the runner. Reads no file yet.
    pub fn new(source: ConfigSource, runner: RunnerProgram) -> OciHooks {
        OciHooks {
            configuration: Arc::new(ActiveConfiguration::new(source, runner)),
            missed_synchronize: Arc::default(),
            resumed: Arc::default(),
            was_loaded: Arc::default(),
            runtime: Arc::default(),
            missed: Arc::default(),
            selectable: Arc::default(),
        }
    }

    /// Reads the configuration and the files that it names, which may take long if they are large. Returns
    /// when that is done, when `limit` has passed, or when a file system does not answer. Then it continues
    /// in the background, and containers are refused until it is done.
    pub(crate) async fn load(&self, limit: Duration) {
        self.was_loaded.store(true, Ordering::Relaxed);
        let plugin = self.clone();
        let mut loading = spawn_blocking(move || {
            if let Ok(applied) = plugin.configuration.up_to_date() {
                // The result is logged, and returned again for the next container.
                let _ = applied.ledger.open();
                applied.selector.refresh();
                plugin.check_selectable();
            }
        });
        // Files that are not read by then are read in the background; a panic of it is logged.
        let _ = answered(&mut loading, limit).await;
    }

    /// Whether a configuration is active.
    pub(crate) fn has_configuration(&self) -> bool {
        self.configuration.now().applied().is_some()
    }

    /// Whether a configuration is active, and the ledger that it names has been opened.
    pub(crate) fn is_loaded(&self) -> bool {
        let now = self.configuration.now();
        now.applied()
            .is_some_and(|applied| applied.ledger.opened().is_some())
    }

    /// Reads the configuration and opens the ledger, if [`OciHooks::load`] was called and has not done so:
    /// the fault may be over. Blocks.
    pub(crate) fn retry(&self) {
        if self.was_loaded.load(Ordering::Relaxed)
            && !self.is_loaded()
            && let Ok(applied) = self.configuration.up_to_date()
        {
            let _ = applied.ledger.open();
            applied.selector.refresh();
            self.catch_up(&applied);
        }
    }

    /// Checks every file that the administrator may have changed now, rather than with the next container,
    /// and logs the results. Blocks.
    pub(crate) fn reload(&self) {
        match self.configuration.up_to_date() {
            Ok(applied) => {
                let _ = applied.ledger.open();
                self.catch_up(&applied);
                applied.selector.refresh();
                self.check_selectable();
                let mut errors = self.configuration.now().refused().to_vec();
                errors.extend(applied.selector.errors());
                if errors.is_empty() {
                    tracing::info!("reloaded: every file is active as it is now");
                } else {
                    let errors = bounded_list(&errors);
                    tracing::warn!(
                        errors,
                        "reloaded: some files are invalid, and not active as they are now"
                    );
                }
            }
            Err(errors) => {
                tracing::warn!(
                    errors = bounded_list(&errors),
                    "not reloaded: the configuration cannot be read"
                );
            }
        }
    }

    /// A runner of the container `id` has reported that a stage is over.
    pub(crate) fn reported(&self, id: &ContainerId) {
        if let Some(containers) = self.containers() {
            containers.reported(id);
        }
    }

    /// A runner of the container `id` could not write the record of `stage`, because of this `trouble`.
    pub(crate) fn cannot_record(&self, id: &ContainerId, stage: Stage, trouble: &str) {
        if let Some(containers) = self.containers() {
            containers.cannot_record(id, stage, trouble);
        }
    }

    pub(super) fn configuration(&self) -> &ActiveConfiguration {
        &self.configuration
    }

    pub(super) fn missed(&self) -> &Missed {
        &self.missed
    }

    pub(super) fn selectable(&self) -> &Selectable {
        &self.selectable
    }

    /// The active configuration, after a check for changes of the configuration.
    pub(super) fn up_to_date(&self) -> Result<Arc<AppliedConfig>, Status> {
        let errors = match self.configuration.up_to_date() {
            Ok(applied) => {
                self.catch_up(&applied);
                return Ok(applied);
            }
            Err(errors) => bounded_list(&errors).to_string(),
        };
        match self.configuration.now().applied() {
            Some(applied) if applied.selector.config().failure_policy == FailurePolicy::Ignore => {
                tracing::warn!(
                    errors,
                    "cannot read the configuration; the earlier one is used, because failure_policy is ignore"
                );
                Ok(applied.clone())
            }
            _ => Err(Status::failed_precondition(format!(
                "nri-oci-hooks: configuration: {errors}"
            ))),
        }
    }

    /// Does the work of a Synchronize that came while no ledger was open.
    fn catch_up(&self, applied: &AppliedConfig) {
        if let Some(Some(containers)) = applied.ledger.opened()
            && self.missed_synchronize.swap(false, Ordering::Relaxed)
        {
            containers.serve(&self.runtime());
            containers.reconcile(Vec::new());
        }
        self.find_missed();
    }

    /// The containers in the ledger, if that is open. Accesses no path.
    pub(super) fn containers(&self) -> Option<Containers> {
        self.configuration.now().applied()?.ledger.opened()?.clone()
    }

    /// The same, opened for the work of an event; none if no ledger is needed.
    ///
    /// Fails if the ledger cannot be used now.
    pub(super) fn answering_containers(&self) -> Result<Option<Containers>, NoLedger> {
        let now = self.configuration.now();
        let Some(applied) = now.applied() else {
            return Ok(None);
        };
        match applied.ledger.open() {
            Ok(containers) => {
                drop(applied.ledger.access()?);
                Ok(Some(containers.clone()))
            }
            Err(NoLedger::Unneeded) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same. If the event's answer cannot carry the error, it is logged.
    pub(super) fn containers_or_warn(&self) -> Option<Containers> {
        self.answering_containers().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot use the ledger");
            None
        })
    }

    pub(super) fn runtime(&self) -> MutexGuard<'_, String> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The active configuration, if any. Reads no file.
    pub(super) fn config<T>(&self, of: impl FnOnce(&Config) -> T) -> Option<T> {
        let now = self.configuration.now();
        now.applied().map(|applied| of(applied.selector.config()))
    }

    pub(super) fn ignores_failures(&self) -> bool {
        let policy = self.config(|config| config.failure_policy);
        policy == Some(FailurePolicy::Ignore)
    }
}
