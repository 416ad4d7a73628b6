//! How the hooks of a container that is being created get to run.

use containerd_nri::api::{Container, PodSandbox};
use containerd_nri::{Adjustment, MAX_MESSAGE};
use thiserror::Error;

use super::in_force::InForce;
use super::lazy_ledger::NoLedger;
use super::life::RegisterError;
use super::mark::mark;
use super::{direct, inject};
use crate::config::Delivery;
use crate::select::{Frozen, NeedsDirect};
use crate::trust::TrustError;

/// Hooks that cannot be delivered.
#[derive(Debug, Error)]
pub(super) enum DeliveryError {
    /// They do not fit the answer to NRI CreateContainer.
    #[error(
        "the container's {hooks} hooks take {bytes} bytes, but one NRI message carries {MAX_MESSAGE}; \
         use fewer hooks or shorter args and env in its hook-specs, or another delivery than direct"
    )]
    TooLarge {
        /// How many hooks.
        hooks: usize,
        /// How large the answer would be.
        bytes: usize,
    },
    /// Only the OCI runtime itself can run them.
    #[error(transparent)]
    NeedsDirect(#[from] NeedsDirect),
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

/// What is changed about the container, which no other daemon has marked, so that it gets `frozen`.
/// With another delivery than direct it is registered in the ledger.
pub(super) fn deliver(
    delivery: Delivery,
    frozen: &Frozen,
    pod: &PodSandbox,
    container: &Container,
    in_force: &InForce,
) -> Result<Adjustment, DeliveryError> {
    let injected = match delivery {
        Delivery::Direct => {
            let adjustment = direct::adjustment(frozen, &container.hooks)?;
            return Ok(mark(adjustment, container));
        }
        Delivery::Runner => true,
        Delivery::Events => false,
    };
    frozen.check_delivery(delivery)?;
    let containers = in_force.ledger.open()?;
    let access = in_force.ledger.access()?;
    containers.register(pod, container, frozen, injected)?;
    drop(access);
    let adjustment = match injected {
        true => inject::adjustment(frozen, containers),
        false => Adjustment::new(),
    };
    Ok(mark(adjustment, container))
}
