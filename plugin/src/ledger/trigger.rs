//! What can make a stage run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who started a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The OCI runtime, because the container's spec names the runner as a hook.
    Oci,
    /// The daemon, at NRI StartContainer.
    StartContainer,
    /// The daemon, at NRI PostStartContainer.
    PostStartContainer,
    /// The daemon, when it saw init end.
    InitEnded,
    /// The daemon, at NRI StopContainer.
    StopContainer,
    /// The daemon, at NRI RemoveContainer.
    RemoveContainer,
    /// The daemon, at NRI Synchronize: what was owed from before it connected.
    Synchronize,
}

impl Trigger {
    const ALL: [Trigger; 7] = [
        Trigger::Oci,
        Trigger::StartContainer,
        Trigger::PostStartContainer,
        Trigger::InitEnded,
        Trigger::StopContainer,
        Trigger::RemoveContainer,
        Trigger::Synchronize,
    ];

    /// Its name in records and on the runner's command line.
    pub const fn name(self) -> &'static str {
        match self {
            Trigger::Oci => "oci",
            Trigger::StartContainer => "start-container",
            Trigger::PostStartContainer => "post-start-container",
            Trigger::InitEnded => "init-ended",
            Trigger::StopContainer => "stop-container",
            Trigger::RemoveContainer => "remove-container",
            Trigger::Synchronize => "synchronize",
        }
    }
}

impl FromStr for Trigger {
    type Err = String;

    /// Fails with what is allowed instead.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Trigger::ALL.into_iter().find(|trigger| trigger.name() == text);
        found.ok_or_else(|| {
            let names = Trigger::ALL.map(Trigger::name).join(", ");
            format!("must be one of: {names}")
        })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
