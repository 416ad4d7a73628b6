//! The triggers of a stage.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The trigger of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The OCI runtime, because the container's spec has the runner as a hook.
    Oci,
    /// The daemon, at NRI StartContainer.
    StartContainer,
    /// The daemon, at NRI PostStartContainer.
    PostStartContainer,
    /// The daemon, after it saw init end.
    InitEnded,
    /// The daemon, at NRI StopContainer.
    StopContainer,
    /// The daemon, at NRI RemoveContainer.
    RemoveContainer,
    /// The daemon, at NRI Synchronize: stages that became pending before it connected.
    Synchronize,
}

impl Trigger {
    pub(crate) const ALL: [Trigger; 7] = [
        Trigger::Oci,
        Trigger::StartContainer,
        Trigger::PostStartContainer,
        Trigger::InitEnded,
        Trigger::StopContainer,
        Trigger::RemoveContainer,
        Trigger::Synchronize,
    ];

    /// Its name in records and on the command line of the runner.
    pub(crate) const fn name(self) -> &'static str {
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

    /// Fails with the list of valid names.
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
