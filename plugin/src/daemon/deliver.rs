//! Delivers the hooks of a container that is being created.

use containerd_nri::api::{Container, PodSandbox};
use containerd_nri::{Adjustment, MAX_MESSAGE};
use thiserror::Error;

use super::applied::AppliedConfig;
use super::lazy_ledger::NoLedger;
use super::lifecycle::RegisterError;
use super::mark::mark;
use super::{direct, inject};
use crate::config::Delivery;
use crate::model::{ResolvedHooks, Stage};
use crate::trust::TrustError;

/// Hooks that cannot be delivered.
#[derive(Debug, Error)]
pub(super) enum DeliveryError {
    /// They do not fit the answer to NRI CreateContainer.
    #[error(
        "the container's {hooks} hooks take {bytes} bytes, but an NRI message carries at most {MAX_MESSAGE}; \
         use fewer hooks, shorter args and env, or delivery runner"
    )]
    TooLarge {
        /// The number of hooks.
        hooks: usize,
        /// The size of the answer.
        bytes: usize,
    },
    /// The ledger's file system does not answer.
    #[error(transparent)]
    NotAnswering(#[from] TrustError),
    /// The ledger could not register the container.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The ledger cannot be used.
    #[error(transparent)]
    NoLedger(#[from] NoLedger),
}

/// The adjustment of a container that no other daemon has marked, so that it gets the hooks in `resolved`.
/// If a runner is to run some of them, the container is registered with those in the ledger.
pub(super) fn deliver(
    delivery: Delivery,
    resolved: &ResolvedHooks,
    pod: &PodSandbox,
    container: &Container,
    applied: &AppliedConfig,
) -> Result<Adjustment, DeliveryError> {
    // Hooks that run in the container's namespaces are run by the OCI runtime with any delivery.
    let is_of_runtime = |stage: Stage| delivery == Delivery::Direct || stage.is_in_container();
    let of_runtime = resolved.stages.iter().filter(|(stage, _)| is_of_runtime(**stage));
    let of_runner = (delivery != Delivery::Direct).then(|| resolved.outside_container());
    let mut adjustment = Adjustment::new();
    if let Some(of_runner) = of_runner.filter(|hooks| !hooks.is_empty()) {
        let containers = applied.ledger.open()?;
        let is_injected = delivery == Delivery::Runner;
        let access = applied.ledger.access()?;
        let is_new = containers.register(pod, container, &of_runner, is_injected)?;
        drop(access);
        adjustment = match is_new {
            true if is_injected => inject::adjustment(&of_runner, containers),
            true => adjustment,
            false => redelivered(container, applied)?.unwrap_or_default(),
        };
    }
    let adjustment = direct::append(adjustment, of_runtime, &container.hooks)?;
    Ok(mark(adjustment, container))
}

/// The adjustment of a container that an earlier daemon has registered, whatever the configuration is now.
/// `None` if there is no such container.
pub(super) fn redelivered(
    container: &Container,
    applied: &AppliedConfig,
) -> Result<Option<Adjustment>, DeliveryError> {
    let Some(Some(containers)) = applied.ledger.opened() else {
        return Ok(None);
    };
    let access = applied.ledger.access()?;
    let registered = containers
        .registered(&container.id)
        .map_err(RegisterError::from)?;
    drop(access);
    Ok(registered.map(|(resolved, is_injected)| match is_injected {
        true => inject::adjustment(&resolved, containers),
        false => Adjustment::new(),
    }))
}
