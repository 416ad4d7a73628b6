//! The points in a container's life at which hooks run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in a container's life at which hooks run.
///
/// iSulad's stages are [`Prestart`](Stage::Prestart), [`Poststart`](Stage::Poststart) and
/// [`Poststop`](Stage::Poststop). The other three are stages of the OCI runtime-spec (config.md,
/// "POSIX-platform Hooks").
///
/// The stages are in the order in which they occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Start was requested, and init does not run its program yet.
    Prestart,
    /// OCI: directly after `prestart`, in the runtime's namespaces.
    CreateRuntime,
    /// OCI: in the container's namespaces, before pivot_root.
    CreateContainer,
    /// OCI: in the container's namespaces, just before its init runs its program.
    StartContainer,
    /// Init runs its program, and start has not returned.
    Poststart,
    /// The container has stopped, and stop has not returned.
    Poststop,
}

impl Stage {
    /// Every stage, in the order of a container's life.
    pub const ALL: [Stage; 6] = [
        Stage::Prestart,
        Stage::CreateRuntime,
        Stage::CreateContainer,
        Stage::StartContainer,
        Stage::Poststart,
        Stage::Poststop,
    ];

    /// The stages that a runner runs, in this order; createRuntime runs directly after prestart.
    pub const OF_RUNNER: [Stage; 4] = [
        Stage::Prestart,
        Stage::CreateRuntime,
        Stage::Poststart,
        Stage::Poststop,
    ];

    /// The stages for which a runner is started.
    pub(crate) const STARTED: [Stage; 3] = [Stage::Prestart, Stage::Poststart, Stage::Poststop];

    /// The stages that end before the container's init may run its program. If they fail, it does not run.
    pub(crate) const BEFORE_START: [Stage; 2] = [Stage::Prestart, Stage::CreateRuntime];

    /// The key of this stage in a hook-spec and in an OCI config.json.
    pub const fn key(self) -> &'static str {
        match self {
            Stage::Prestart => "prestart",
            Stage::CreateRuntime => "createRuntime",
            Stage::CreateContainer => "createContainer",
            Stage::StartContainer => "startContainer",
            Stage::Poststart => "poststart",
            Stage::Poststop => "poststop",
        }
    }

    /// The stage with this key, if there is one.
    pub(crate) fn from_key(key: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.key() == key)
    }

    /// Whether this stage runs in the container's namespaces, which only the OCI runtime can enter for it.
    pub(crate) const fn is_in_container(self) -> bool {
        matches!(self, Stage::CreateContainer | Stage::StartContainer)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
