//! What a case runs over: the containerds, the OCI runtimes, and the ways in which hooks are delivered.

use std::str::FromStr;

use anyhow::{Context, Result};

use crate::containerd::Builder;
use crate::{Containerd, OciRuntime, Version};

/// A containerd and the OCI runtime below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// The containerd.
    pub version: Version,
    /// What runs its containers.
    pub oci: OciRuntime,
}

impl Runtime {
    /// Chooses nothing but these two; [`Builder::start`] starts it.
    pub fn builder(self) -> Builder {
        Containerd::builder(self.version).oci_runtime(self.oci)
    }

    /// A containerd with nothing else chosen.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start(self) -> Result<Containerd> {
        self.builder().start().await
    }
}

/// How hooks get to run; see the configuration key `delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// One injected hook per stage, which starts the runner; NRI events as the second trigger.
    Runner,
    /// NRI events alone start the runner.
    Events,
    /// The hooks are injected as they are, and follow the rules of the OCI runtime.
    Direct,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Delivery; 3] = [Delivery::Runner, Delivery::Events, Delivery::Direct];

    /// Those in which the runner executes the hooks, by our rules.
    pub const RUNNER: [Delivery; 2] = [Delivery::Runner, Delivery::Events];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Delivery::Runner => "runner",
            Delivery::Events => "events",
            Delivery::Direct => "direct",
        }
    }
}

impl FromStr for Delivery {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Delivery> {
        let found = Delivery::ALL.into_iter().find(|delivery| delivery.word() == text);
        found.with_context(|| format!("hooks are delivered by runner, events or direct, not {text:?}"))
    }
}

/// Runs each named `async fn(Runtime) -> anyhow::Result<()>` as one test per supported containerd and OCI runtime.
#[macro_export]
macro_rules! on_each_runtime {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            use $crate::{OciRuntime, Runtime, Version};

            #[tokio::test]
            async fn containerd_1_7_with_runc() -> anyhow::Result<()> {
                super::$case(Runtime { version: Version::V1_7, oci: OciRuntime::Runc }).await
            }

            #[tokio::test]
            async fn containerd_1_7_with_crun() -> anyhow::Result<()> {
                super::$case(Runtime { version: Version::V1_7, oci: OciRuntime::Crun }).await
            }

            #[tokio::test]
            async fn containerd_2_with_runc() -> anyhow::Result<()> {
                super::$case(Runtime { version: Version::V2_1, oci: OciRuntime::Runc }).await
            }

            #[tokio::test]
            async fn containerd_2_with_crun() -> anyhow::Result<()> {
                super::$case(Runtime { version: Version::V2_1, oci: OciRuntime::Crun }).await
            }
        }
    )+};
}
