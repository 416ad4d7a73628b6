//! The ledger that a command reads.

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use clap::Args;

use super::ConfigArg;
use crate::config::{Overrides, state_dir_of};
use crate::ledger::{Header, Ledger};
use crate::model::{ContainerId, escaped};

/// The options of commands that read the ledger.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LedgerArg {
    /// The configuration, which names the directory of the ledger
    #[command(flatten)]
    pub(crate) config: ConfigArg,

    /// Directory of the ledger; wins over the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,
}

impl LedgerArg {
    /// The state directory. An invalid configuration is read as far as possible.
    pub(crate) fn state_dir(&self) -> Arc<str> {
        let overrides = Overrides {
            state_dir: self.state_dir.clone(),
            ..Overrides::default()
        };
        let (text, read) = self.config.source(overrides.clone()).read_with_text();
        read.map_or_else(
            |_| state_dir_of(&text, &overrides),
            |(config, _)| config.state_dir,
        )
    }

    /// The ledger.
    ///
    /// # Errors
    /// The configured directory has no ledger.
    pub(crate) fn open(&self) -> anyhow::Result<Ledger> {
        let state_dir = self.state_dir();
        let root = Path::new(&*state_dir);
        ensure!(
            Ledger::is_at(root),
            "there is no ledger at {}: the daemon creates it when it first runs with delivery runner or events; \
             for another directory, use --state-dir or --config",
            escaped(&root.to_string_lossy())
        );
        Ok(Ledger::open(root)?)
    }
}

/// Whether a container matches the argument: the beginning of its id, its name, its pod's name,
/// `NAMESPACE/POD` or `NAMESPACE/POD/CONTAINER`.
pub(super) fn is_meant(wanted: &str, id: &ContainerId, header: &Header) -> bool {
    let identity = &header.identity;
    let names = [&identity.namespace, &identity.pod, &identity.container];
    is_named(wanted, id.as_str(), names)
}

/// The same check for a container with these names: namespace, pod and container.
pub(super) fn is_named(wanted: &str, id: &str, [namespace, pod, container]: [&String; 3]) -> bool {
    id.starts_with(wanted)
        || container == wanted
        || pod == wanted
        || format!("{namespace}/{pod}") == wanted
        || format!("{namespace}/{pod}/{container}") == wanted
}
