//! The moments of a container's life at which hooks run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment of a container's life at which hooks run.
///
/// The first three in the seed's rules are [`Prestart`](Stage::Prestart),
/// [`Poststart`](Stage::Poststart) and [`Poststop`](Stage::Poststop). The other three are stages
/// of the OCI runtime-spec (config.md, "POSIX-platform Hooks") that only the OCI runtime can
/// reach; they exist for `direct` delivery alone.
///
/// Ordered as they occur in a container's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Start was asked for, process 1 does not run yet.
    Prestart,
    /// OCI: after `prestart`, in the runtime's namespace. `direct` delivery only.
    CreateRuntime,
    /// OCI: in the container's namespace, before pivot_root. `direct` delivery only.
    CreateContainer,
    /// OCI: in the container's namespace, just before process 1. `direct` delivery only.
    StartContainer,
    /// Process 1 runs, start has not returned.
    Poststart,
    /// The container has stopped, stop has not returned.
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
    pub fn from_key(key: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.key() == key)
    }

    /// Whether only the OCI runtime itself can run this stage, so that it needs `direct` delivery.
    pub const fn needs_direct(self) -> bool {
        matches!(
            self,
            Stage::CreateRuntime | Stage::CreateContainer | Stage::StartContainer
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
