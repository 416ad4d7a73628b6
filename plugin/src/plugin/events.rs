//! The plugin as NRI sees it.

use std::sync::{Arc, Mutex, PoisonError};

use containerd_nri::api::{Container, ContainerUpdate, PodSandbox};
use containerd_nri::{Adjustment, Configuration, Context, EventMask, Plugin, Status};

use super::direct;
use super::subject::subject;
use crate::config::{Config, Delivery, FailurePolicy, Overrides};
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
    /// Of the configuration in force; kept over reconnects, so that the last good default spec is.
    selector: Mutex<Option<Arc<Selector>>>,
}

impl OciHooks {
    /// A plugin that goes by `config` unless the runtime hands over one; over that, `overrides`
    /// win.
    pub fn new(config: Config, overrides: Overrides) -> OciHooks {
        OciHooks {
            config,
            overrides,
            selector: Mutex::new(None),
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

    fn selector(&self) -> Result<Arc<Selector>, Status> {
        let selector = self.selector.lock().unwrap_or_else(PoisonError::into_inner);
        selector
            .clone()
            .ok_or_else(|| Status::failed_precondition("the runtime has sent no Configure yet"))
    }

    fn hooks(&self, pod: &PodSandbox, container: &Container) -> Result<Adjustment, Status> {
        let selector = self.selector()?;
        let selected = selector
            .select(&subject(pod, container))
            .map_err(|error| Status::failed_precondition(format!("nri-oci-hooks: {error}")))?;
        if selected.frozen.is_empty() {
            return Ok(Adjustment::new());
        }
        let delivered = match selector.config().delivery {
            Delivery::Direct => direct::adjustment(&selected.frozen, &container.hooks),
        };
        match delivered {
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
        let mut selector = self.selector.lock().unwrap_or_else(PoisonError::into_inner);
        if selector
            .as_ref()
            .is_none_or(|selector| *selector.config() != config)
        {
            *selector = Some(Arc::new(Selector::new(config)));
        }
        let runtime = &configuration.runtime;
        tracing::info!(runtime = %shown(&runtime.name), version = %shown(&runtime.version), "configured");
        Ok(EventMask::CREATE_CONTAINER)
    }

    async fn synchronize(
        &self,
        _: &Context,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        tracing::info!(pods = pods.len(), containers = containers.len(), "synchronized");
        drop((pods, containers));
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

    fn disconnected(&self, reason: &containerd_nri::Error) {
        tracing::warn!(%reason, "disconnected: containers are created without hooks until this is mended");
    }
}
