//! The plugin as NRI sees it.

mod creation;

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use containerd_nri::{
    Adjustment, Configuration, Context, EventMask, FailurePolicy as Silence, Plugin, Status, Subscription,
    Updates, event,
};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::active::ActiveConfiguration;
use super::applied::AppliedConfig;
use super::lazy_ledger::NoLedger;
use super::lifecycle::{Containers, RunnerProgram, end_init};
use super::mark::may_need_events;
use super::missed::Missed;
use super::selectable::Selectable;
use crate::bounded::answered;
use crate::config::{Config, ConfigSource, FailurePolicy};
use crate::front::{self, Link};
use crate::model::{ContainerId, Stage, bounded_list, shown};
use crate::system;

/// The time after an event until its message is no longer in memory.
const ANSWERED: Duration = Duration::from_millis(200);

/// Gives containers their hooks.
#[derive(Debug, Clone)]
pub struct OciHooks {
    configuration: Arc<ActiveConfiguration>,
    /// Whether the runtime has listed its containers while no ledger was open.
    missed_synchronize: Arc<AtomicBool>,
    /// The time when the runtime resumed the connection of an earlier daemon.
    resumed: Arc<OnceLock<Instant>>,
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
                    tracing::info!("reloaded: what is in force is what the files say");
                } else {
                    let errors = bounded_list(&errors);
                    tracing::warn!(errors, "reloaded: not all that the files say is in force");
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
    fn up_to_date(&self) -> Result<Arc<AppliedConfig>, Status> {
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
                    "the configuration as it was is used: failure_policy is ignore"
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
    fn containers(&self) -> Option<Containers> {
        self.configuration.now().applied()?.ledger.opened()?.clone()
    }

    /// The same, opened for the work of an event; none if no ledger is needed.
    ///
    /// Fails if the ledger cannot be used now.
    fn answering_containers(&self) -> Result<Option<Containers>, NoLedger> {
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
    fn containers_or_warn(&self) -> Option<Containers> {
        self.answering_containers().unwrap_or_else(|error| {
            tracing::warn!(%error, "the ledger cannot be used");
            None
        })
    }

    fn runtime(&self) -> MutexGuard<'_, String> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events to subscribe to.
    async fn events(&self, limit: Duration) -> EventMask {
        let all = EventMask::START_CONTAINER | EventMask::POST_START_CONTAINER | EventMask::STOP_CONTAINER;
        let now = self.configuration.now();
        let Some(applied) = now.applied().cloned() else {
            // The configuration may need any of them; an event too many does no harm.
            return EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER | all;
        };
        let containers = match applied.ledger.opened() {
            Some(Some(containers)) => containers.clone(),
            Some(None) => return EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER,
            // The ledger may need any of them.
            None => return EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER | all,
        };
        containers.serve(&self.runtime());
        let mut events = EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER;
        if !containers.deletes_at_end() {
            events |= EventMask::STOP_CONTAINER;
        }
        let needs_all = spawn_blocking(move || {
            applied.selector.config().needs_all_events() || containers.need_all_events()
        });
        match timeout(limit, needs_all).await {
            Ok(Ok(false)) => events,
            _ => events | all,
        }
    }

    /// The runtime's reaction when the daemon does not answer. Without a configuration nothing is created,
    /// so a missing answer refuses too. One answer after the deadline disconnects in neither case. The
    /// runtime asks only when it connects: a changed `failure_policy` takes effect for this at the next
    /// connection.
    fn silence(&self) -> Silence {
        let policy = Silence::default().keep_connected();
        match self.configuration.now().applied() {
            Some(applied) if applied.selector.config().failure_policy == FailurePolicy::Ignore => policy,
            _ => policy.fail_request(),
        }
    }

    /// The active configuration, if any. Reads no file.
    fn config<T>(&self, of: impl FnOnce(&Config) -> T) -> Option<T> {
        let now = self.configuration.now();
        now.applied().map(|applied| of(applied.selector.config()))
    }

    fn ignores_failures(&self) -> bool {
        let policy = self.config(|config| config.failure_policy);
        policy == Some(FailurePolicy::Ignore)
    }
}

impl Plugin for OciHooks {
    async fn configure(&self, ctx: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        self.configuration
            .configure(&configuration.config)
            .map_err(|errors| {
                for error in &errors {
                    tracing::error!(%error, "configuration");
                }
                Status::invalid_argument(bounded_list(&errors).to_string())
            })?;
        // After an error here, or no answer in time, the runtime continues without the plugin.
        if !self.has_configuration() {
            self.load(ctx.remaining() / 2).await;
        }
        self.missed.configured();
        let runtime = &configuration.runtime;
        self.runtime().clone_from(&runtime.name);
        let events = self.events(ctx.remaining() / 2).await;
        tracing::info!(runtime = %shown(&runtime.name), version = %shown(&runtime.version), "configured");
        Ok(Subscription::new(events).failure_policy(self.silence()))
    }

    fn filter_synchronize(&self, part: &mut event::Synchronize) {
        let now = self.configuration.now();
        let config = now.applied().map(|applied| applied.selector.config());
        self.missed.add(&part.pods, &part.containers, config);
        part.pods.clear();
        match self.containers() {
            Some(ours) => ours.retain_registered(&mut part.containers),
            None => part.containers.clear(),
        }
    }

    async fn synchronize(&self, _: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let event::Synchronize { containers, .. } = event;
        let is_resumed = front::link().is_some_and(Link::take_resumed);
        match is_resumed {
            true => tracing::info!("resumed the connection of an earlier daemon"),
            false => tracing::info!(with_hooks = containers.len(), "synchronized"),
        }
        match self.containers() {
            Some(ours) if is_resumed => ours.resume(),
            Some(ours) => ours.reconcile(containers),
            None => self.missed_synchronize.store(true, Ordering::Relaxed),
        }
        if is_resumed {
            let _ = self.resumed.set(Instant::now());
            self.take_over_missed();
        } else {
            self.missed.synchronized();
            self.find_missed();
        }
        // The message itself, which is large, is freed after the answer.
        tokio::spawn(async {
            sleep(ANSWERED).await;
            system::return_free_memory();
        });
        Ok(Updates::new())
    }

    async fn create_container(
        &self,
        ctx: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { pod, container, .. } = event;
        let answer = match self.ignores_failures() {
            true => self.hooks_or_none(pod, container, ctx.remaining()).await,
            false => self.hooks(&pod, &container, ctx.remaining()),
        };
        answer.inspect_err(|error| tracing::warn!(error = error.message, "it is not created"))
    }

    async fn start_container(&self, ctx: &Context, event: event::StartContainer) -> Result<(), Status> {
        let event::StartContainer { container, .. } = event;
        let needs_it = may_need_events(&container);
        let refused = |reason: &dyn Display| Status::failed_precondition(format!("nri-oci-hooks: {reason}"));
        match self.answering_containers() {
            Ok(None) => Ok(()),
            Ok(Some(ours)) if needs_it => {
                let starting = ours.starting(container, ctx.remaining());
                starting.await.map_err(|error| refused(&error))
            }
            // Earlier releases left no mark. Their runner ends a container that does not wait for it.
            Ok(Some(ours)) => {
                let starting = ours.starting(container, ctx.remaining());
                let started = timeout(ctx.remaining() / 2, starting).await.unwrap_or(Ok(()));
                started.map_err(|error| refused(&error))
            }
            Err(error) if needs_it => {
                // Not every runtime obeys the answer.
                end_init(&container);
                Err(refused(&error))
            }
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be used");
                Ok(())
            }
        }
    }

    async fn post_start_container(
        &self,
        ctx: &Context,
        event: event::PostStartContainer,
    ) -> Result<(), Status> {
        let event::PostStartContainer { container, .. } = event;
        if let Some(ours) = self.containers_or_warn() {
            ours.started(container, ctx.remaining()).await;
        }
        Ok(())
    }

    async fn stop_container(&self, ctx: &Context, event: event::StopContainer) -> Result<Updates, Status> {
        let event::StopContainer { container, .. } = event;
        if let Some(ours) = self.containers_or_warn() {
            ours.stopped(container, ctx.remaining()).await;
        }
        Ok(Updates::new())
    }

    async fn remove_container(&self, _: &Context, event: event::RemoveContainer) -> Result<(), Status> {
        let event::RemoveContainer { pod, container, .. } = event;
        self.missed.removed(&container.id);
        if let Some(ours) = self.containers_or_warn() {
            ours.removed(pod.runtime_handler, container);
        }
        Ok(())
    }

    fn disconnected(&self, reason: &containerd_nri::Error) {
        self.missed.disconnected();
        tracing::warn!(%reason, "disconnected: containers are created without hooks until this is mended");
    }
}
