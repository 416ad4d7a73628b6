//! The plugin as NRI sees it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use containerd_nri::api::{Container, ContainerUpdate, PodSandbox};
use containerd_nri::{Adjustment, Configuration, Context, EventMask, Plugin, Status};

use super::deliver::deliver;
use super::life::Containers;
use super::subject::subject;
use crate::config::{Config, FailurePolicy, Overrides};
use crate::diagnostic::{bounded_list, shown};
use crate::select::Selector;
use crate::system;

/// Gives containers their hooks.
#[derive(Debug)]
pub struct OciHooks {
    /// Holds when the runtime hands over no configuration at Configure.
    config: Config,
    /// Win over what the runtime hands over.
    overrides: Overrides,
    /// Kept over reconnects, so that the last good default spec is.
    in_force: Mutex<Option<Arc<InForce>>>,
}

/// What is made of the configuration in force.
#[derive(Debug)]
struct InForce {
    selector: Selector,
    /// Why there is no ledger, if there is none.
    containers: Result<Containers, String>,
}

impl InForce {
    fn new(config: Config) -> InForce {
        let state_dir = config.state_dir.clone();
        let is_needed = config.needs_ledger() || Path::new(&*state_dir).exists();
        InForce {
            selector: Selector::new(config),
            containers: match is_needed {
                true => containers(Path::new(&*state_dir)).inspect_err(
                    |error| tracing::error!(%error, "no hooks but direct ones can be delivered"),
                ),
                false => Err("there is no ledger".into()),
            },
        }
    }
}

/// The program is found now: its file may be replaced while this one runs.
fn containers(state_dir: &Path) -> Result<Containers, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find the runner: {error}"))?;
    Containers::new(state_dir, program).map_err(|error| error.to_string())
}

impl OciHooks {
    /// A plugin that goes by `config` unless the runtime hands over one; over that, `overrides`
    /// win.
    pub fn new(config: Config, overrides: Overrides) -> OciHooks {
        OciHooks {
            config,
            overrides,
            in_force: Mutex::new(None),
        }
    }

    /// The configuration that the runtime handed over, or else our own.
    fn configuration(&self, handed_over: &str) -> Result<Config, Status> {
        if handed_over.trim().is_empty() {
            return Ok(self.config.clone());
        }
        let source = "the configuration from the runtime";
        Config::from_text(source, handed_over, &self.overrides).map_err(|mistakes| {
            for mistake in &mistakes {
                tracing::error!(%mistake, "configuration");
            }
            Status::invalid_argument(bounded_list(&mistakes).to_string())
        })
    }

    fn in_force(&self) -> Result<Arc<InForce>, Status> {
        let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        in_force
            .clone()
            .ok_or_else(|| Status::failed_precondition("the runtime has sent no Configure yet"))
    }

    /// The containers in the ledger, if there is one.
    fn containers(&self) -> Option<Containers> {
        self.in_force().ok()?.containers.clone().ok()
    }

    fn hooks(&self, pod: &PodSandbox, container: &Container) -> Result<Adjustment, Status> {
        let in_force = self.in_force()?;
        let selector = &in_force.selector;
        let selected = selector
            .select(&subject(pod, container))
            .map_err(|error| Status::failed_precondition(format!("nri-oci-hooks: {error}")))?;
        if selected.frozen.is_empty() {
            return Ok(Adjustment::new());
        }
        let delivery = selector.config().delivery(&pod.runtime_handler);
        let containers = in_force.containers.as_ref().map_err(String::as_str);
        match deliver(delivery, &selected.frozen, pod, container, containers) {
            Ok(adjustment) => Ok(adjustment),
            Err(error) if selector.config().failure_policy == FailurePolicy::Ignore => {
                let (pod, container) = (shown(&pod.name), shown(&container.name));
                tracing::warn!(%pod, %container, %error, "container goes without its hooks: failure_policy is ignore");
                Ok(Adjustment::new())
            }
            Err(error) => Err(Status::failed_precondition(format!("nri-oci-hooks: {error}"))),
        }
    }
}

impl Plugin for OciHooks {
    async fn configure(&self, _: &Context, configuration: Configuration) -> Result<EventMask, Status> {
        let config = self.configuration(&configuration.config)?;
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |in_force: &Arc<InForce>| *in_force.selector.config() != config;
        if in_force.as_ref().is_none_or(is_new) {
            *in_force = Some(Arc::new(InForce::new(config)));
        }
        let follows_containers = in_force.as_ref().is_some_and(|it| it.containers.is_ok());
        let runtime = &configuration.runtime;
        tracing::info!(runtime = %shown(&runtime.name), version = %shown(&runtime.version), "configured");
        Ok(match follows_containers {
            true => {
                EventMask::CREATE_CONTAINER
                    | EventMask::START_CONTAINER
                    | EventMask::POST_START_CONTAINER
                    | EventMask::STOP_CONTAINER
                    | EventMask::REMOVE_CONTAINER
            }
            false => EventMask::CREATE_CONTAINER,
        })
    }

    async fn synchronize(
        &self,
        _: &Context,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        tracing::info!(pods = pods.len(), containers = containers.len(), "synchronized");
        drop(pods);
        if let Some(ours) = self.containers() {
            ours.reconcile(containers);
        }
        system::return_free_memory();
        Ok(Vec::new())
    }

    async fn create_container(
        &self,
        _: &Context,
        pod: PodSandbox,
        container: Container,
    ) -> Result<Adjustment, Status> {
        self.hooks(&pod, &container).inspect_err(|status| {
            let (namespace, pod) = (shown(&pod.namespace), shown(&pod.name));
            let (container, id) = (shown(&container.name), shown(&container.id));
            tracing::warn!(%namespace, %pod, %container, %id, error = %status, "container is not created");
        })
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
        let starting = ours.starting(&container, ctx.remaining()).await;
        starting.map_err(|reason| Status::failed_precondition(format!("nri-oci-hooks: {reason}")))
    }

    async fn post_start_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<(), Status> {
        if let Some(ours) = self.containers() {
            ours.started(&container, ctx.remaining()).await;
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
            let runtime = &ctx.runtime().name;
            ours.stopped(&container, runtime, ctx.remaining()).await;
        }
        Ok(Vec::new())
    }

    async fn remove_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<(), Status> {
        if let Some(ours) = self.containers() {
            ours.removed(&container, ctx.remaining()).await;
        }
        Ok(())
    }

    fn disconnected(&self, reason: &containerd_nri::Error) {
        tracing::warn!(%reason, "disconnected: containers are created without hooks until this is mended");
    }
}
