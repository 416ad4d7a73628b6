//! The answers that change containers which exist, and the verdict on what all plugins want to change about a new one.

use crate::api;

/// Updates of containers that exist.
///
/// From [`Plugin::update_container`](crate::Plugin::update_container), one with the id of the container of the event
/// changes the update itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Updates(Vec<api::ContainerUpdate>);

impl Updates {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Updates a container.
    pub fn update(mut self, update: impl Into<api::ContainerUpdate>) -> Self {
        self.0.push(update.into());
        self
    }

    /// The updates as the messages that go over the wire.
    pub fn as_slice(&self) -> &[api::ContainerUpdate] {
        &self.0
    }
}

impl From<Vec<api::ContainerUpdate>> for Updates {
    fn from(updates: Vec<api::ContainerUpdate>) -> Self {
        Self(updates)
    }
}

impl From<Updates> for Vec<api::ContainerUpdate> {
    fn from(updates: Updates) -> Self {
        updates.0
    }
}

impl FromIterator<api::ContainerUpdate> for Updates {
    fn from_iter<I: IntoIterator<Item = api::ContainerUpdate>>(updates: I) -> Self {
        Self(updates.into_iter().collect())
    }
}

/// The verdict on what all plugins together want to change about a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
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

impl Verdict {
    /// Fails the creation of the container for this reason.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject {
            reason: reason.into(),
        }
    }
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
