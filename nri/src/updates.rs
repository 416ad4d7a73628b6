//! The answers to the update of a container, and to what all plugins want to change about one.

use crate::api;

/// The answer to the update of a container: changes to that update (same container id) and to other containers.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Updates(api::UpdateContainerResponse);

impl Updates {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Updates a container.
    pub fn update(mut self, update: api::ContainerUpdate) -> Self {
        self.0.update.push(update);
        self
    }
}

impl From<Updates> for api::UpdateContainerResponse {
    fn from(updates: Updates) -> Self {
        updates.0
    }
}

/// Judgement on what all plugins together want to change about a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Let it pass.
    #[default]
    Accept,
    /// Fail the creation of the container.
    Reject {
        /// Why, for a person to read.
        reason: String,
    },
}

impl From<Verdict> for api::ValidateContainerAdjustmentResponse {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::default(),
            Verdict::Reject { reason } => Self {
                reject: true,
                reason,
                ..Default::default()
            },
        }
    }
}
