//! The answers to the events of NRI.

mod creation;

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use containerd_nri::{
    Adjustment, Configuration, Context, EventMask, FailurePolicy as Silence, Plugin, Status, Subscription,
    Updates, event,
};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::OciHooks;
use super::lifecycle::end_init;
use super::mark::may_need_events;
use crate::config::FailurePolicy;
use crate::front::{self, Link};
use crate::model::{bounded_list, escaped};
use crate::system;

/// The time after an event until its message is no longer in memory.
const ANSWERED: Duration = Duration::from_millis(200);

impl OciHooks {
    /// The events to subscribe to.
    async fn events(&self, limit: Duration) -> EventMask {
        let all = EventMask::START_CONTAINER | EventMask::POST_START_CONTAINER | EventMask::STOP_CONTAINER;
        let now = self.configuration().now();
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
        match self.configuration().now().applied() {
            Some(applied) if applied.selector.config().failure_policy == FailurePolicy::Ignore => policy,
            _ => policy.fail_request(),
        }
    }
}

impl Plugin for OciHooks {
    async fn configure(&self, ctx: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        self.configuration()
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
        self.missed().configured();
        let runtime = &configuration.runtime;
        self.runtime().clone_from(&runtime.name);
        let events = self.events(ctx.remaining() / 2).await;
        tracing::info!(runtime = %escaped(&runtime.name), version = %escaped(&runtime.version), "configured");
        Ok(Subscription::new(events).failure_policy(self.silence()))
    }

    fn filter_synchronize(&self, part: &mut event::Synchronize) {
        let now = self.configuration().now();
        let config = now.applied().map(|applied| applied.selector.config());
        self.missed().add(&part.pods, &part.containers, config);
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
            self.resume_missed();
        } else {
            self.missed().synchronized();
        }
        // Before the answer: then the next daemon gets no list of the runtime.
        self.note_missed();
        self.find_missed();
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
        answer.inspect_err(|error| tracing::warn!(error = error.message, "not created"))
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
                tracing::warn!(%error, "cannot use the ledger");
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
        if self.missed().removed(&container.id) {
            self.note_missed();
        }
        if let Some(ours) = self.containers_or_warn() {
            ours.removed(pod.runtime_handler, container);
        }
        Ok(())
    }

    fn disconnected(&self, reason: &containerd_nri::Error) {
        self.missed().disconnected();
        tracing::warn!(%reason, "disconnected: containers get no hooks until the runtime is connected again");
    }
}
