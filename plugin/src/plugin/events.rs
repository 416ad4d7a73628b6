//! The plugin as NRI sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use containerd_nri::api::{Container, ContainerUpdate, PodSandbox};
use containerd_nri::{Adjustment, Configuration, Context, EventMask, Plugin, Status, Subscription};
use tokio::time::sleep;

use super::deliver::deliver;
use super::in_force::InForce;
use super::life::{Containers, RunnerProgram};
use super::live::Live;
use super::mark::is_marked;
use super::subject::subject;
use crate::config::{ConfigSource, FailurePolicy, ReadConfig};
use crate::diagnostic::{bounded_list, shown};
use crate::ledger::ContainerId;
use crate::select::Budget;
use crate::spec::Stage;
use crate::system;

/// How long after an event nothing of it is in memory any more.
const ANSWERED: Duration = Duration::from_millis(200);

/// Gives containers their hooks.
#[derive(Debug)]
pub struct OciHooks {
    live: Mutex<Live>,
}

impl OciHooks {
    /// A plugin that goes by `read`, which was read from `source`, and keeps up with its changes,
    /// unless the runtime hands over a configuration; `runner` is run as the runner.
    pub fn new(source: ConfigSource, read: ReadConfig, runner: RunnerProgram) -> OciHooks {
        OciHooks {
            live: Mutex::new(Live::new(source, read, runner)),
        }
    }

    /// Looks at every file now that the administrator may have changed, rather than with the next
    /// container, and logs how they fare.
    pub fn reload(&self) {
        let Ok(in_force) = self.up_to_date() else {
            tracing::info!("nothing to reload: no runtime has sent its configuration yet");
            return;
        };
        in_force.selector.look();
        let mut mistakes = self.live().refused().to_vec();
        mistakes.extend(in_force.selector.mistakes());
        if mistakes.is_empty() {
            tracing::info!("reloaded: what is in force is what the files say");
        } else {
            let mistakes = bounded_list(&mistakes);
            tracing::warn!(mistakes, "reloaded: not all that the files say is in force");
        }
    }

    /// A runner of the container `id` has reported that a stage is over.
    pub fn reported(&self, id: &ContainerId) {
        if let Some(containers) = self.containers() {
            containers.reported(id);
        }
    }

    /// A runner of the container `id` could not write the record of `stage`, because of this `trouble`.
    pub fn cannot_record(&self, id: &ContainerId, stage: Stage, trouble: &str) {
        if let Some(containers) = self.containers() {
            containers.cannot_record(id, stage, trouble);
        }
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        // What a panic leaves behind is whole: what is in force is replaced at one stroke.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force, after a look at whether it still is what the configuration says.
    fn up_to_date(&self) -> Result<Arc<InForce>, Status> {
        let mut live = self.live();
        live.keep_up();
        let in_force = live.in_force().cloned();
        in_force.ok_or_else(|| Status::failed_precondition("the runtime has sent no Configure yet"))
    }

    /// The containers in the ledger, if there is one.
    fn containers(&self) -> Option<Containers> {
        self.live().in_force()?.containers.clone().ok()
    }

    /// What is changed about a container that is being created, told within `time`.
    fn hooks(&self, pod: &PodSandbox, container: &Container, time: Duration) -> Result<Adjustment, Status> {
        if is_marked(container) {
            return Ok(Adjustment::new());
        }
        // The other half is for the ledger.
        let budget = Budget::until(Instant::now() + time / 2);
        let in_force = self.up_to_date()?;
        let selector = &in_force.selector;
        let selected = selector
            .select(&subject(pod, container), budget)
            .map_err(|error| Status::failed_precondition(format!("nri-oci-hooks: {error}")))?;
        if selected.frozen.is_empty() {
            return Ok(Adjustment::new());
        }
        let delivery = selector.config().delivery(&pod.runtime_handler);
        let containers = in_force.containers.as_ref().map_err(String::as_str);
        match deliver(delivery, &selected.frozen, pod, container, containers) {
            Ok(adjustment) => Ok(adjustment),
            Err(error) if selector.config().failure_policy == FailurePolicy::Ignore => {
                tracing::warn!(%error, "container goes without its hooks: failure_policy is ignore");
                Ok(Adjustment::new())
            }
            Err(error) => Err(Status::failed_precondition(format!("nri-oci-hooks: {error}"))),
        }
    }
}

impl Plugin for OciHooks {
    async fn configure(&self, _: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        let mut live = self.live();
        let in_force = live.configure(&configuration.config).map_err(|mistakes| {
            for mistake in &mistakes {
                tracing::error!(%mistake, "configuration");
            }
            Status::invalid_argument(bounded_list(&mistakes).to_string())
        })?;
        let runtime = &configuration.runtime;
        let mut events = EventMask::CREATE_CONTAINER;
        if let Ok(containers) = &in_force.containers {
            containers.serve(&runtime.name);
            events |= EventMask::REMOVE_CONTAINER;
            if !containers.deletes_at_end() {
                events |= EventMask::STOP_CONTAINER;
            }
            if in_force.selector.config().needs_all_events() || containers.need_all_events() {
                events |=
                    EventMask::START_CONTAINER | EventMask::POST_START_CONTAINER | EventMask::STOP_CONTAINER;
            }
        }
        tracing::info!(runtime = %shown(&runtime.name), version = %shown(&runtime.version), "configured");
        Ok(events.into())
    }

    fn lighten(&self, pods: &mut Vec<PodSandbox>, containers: &mut Vec<Container>) {
        pods.clear();
        match self.containers() {
            Some(ours) => ours.retain_registered(containers),
            None => containers.clear(),
        }
    }

    async fn synchronize(
        &self,
        _: &Context,
        _: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        tracing::info!(with_hooks = containers.len(), "synchronized");
        match self.containers() {
            Some(ours) => ours.reconcile(containers),
            None => drop(containers),
        }
        // The message itself, which is large, is let go of after the answer.
        tokio::spawn(async {
            sleep(ANSWERED).await;
            system::return_free_memory();
        });
        Ok(Vec::new())
    }

    async fn create_container(
        &self,
        ctx: &Context,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Adjustment, Status> {
        let answer = self.hooks(&pod, &container, ctx.remaining());
        answer.inspect_err(|error| tracing::warn!(%error, "container is not created"))
    }

    async fn start_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<(), Status> {
        let Some(ours) = self.containers() else {
            return Ok(());
        };
        let starting = ours.starting(container, ctx.remaining()).await;
        starting.map_err(|reason| Status::failed_precondition(format!("nri-oci-hooks: {reason}")))
    }

    async fn post_start_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<(), Status> {
        if let Some(ours) = self.containers() {
            ours.started(container, ctx.remaining()).await;
        }
        Ok(())
    }

    async fn stop_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        if let Some(ours) = self.containers() {
            ours.stopped(container, ctx.remaining()).await;
        }
        Ok(Vec::new())
    }

    async fn remove_container(&self, _: &Context, _: PodSandbox, container: Container) -> Result<(), Status> {
        if let Some(ours) = self.containers() {
            ours.removed(container);
        }
        Ok(())
    }

    fn disconnected(&self, reason: &containerd_nri::Error) {
        tracing::warn!(%reason, "disconnected: containers are created without hooks until this is mended");
    }
}
