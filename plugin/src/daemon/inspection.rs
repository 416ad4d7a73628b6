//! The plugin's report about itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lazy_ledger::NoLedger;
use super::{OciHooks, WithoutHooks};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::ledger::Ledger;
use crate::model::{Origin, Timestamp};
use crate::select::{ImageProgram, LoadedSpec, OlderVersion};

/// The plugin's report about itself.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// The active configuration; as long as there is none, the defaults with the settings of the command
    /// line.
    pub(crate) config: Config,
    /// Its source.
    pub(crate) configured_by: ConfiguredBy,
    /// The time when it became active; absent if there is none.
    pub(crate) configured_at: Option<Timestamp>,
    /// Whether a configuration is active.
    pub(crate) has_configuration: bool,
    /// The ledger, or the reason why there is none; absent as long as it has not been opened.
    pub(crate) ledger: Option<Result<Ledger, NoLedger>>,
    /// The files that are active without being selected, and their content.
    pub(crate) active_specs: Vec<(Origin, Arc<LoadedSpec>)>,
    /// The errors in the configuration, the default hook-spec and hooks.d, at the last check.
    pub(crate) errors: Vec<Diagnostic>,
    /// Those of these files that have an older version active.
    pub(crate) older: Vec<OlderVersion>,
    /// The errors in hook-specs that pods may select.
    pub(crate) invalid_specs: Vec<Diagnostic>,
    /// The programs of valid hook-specs that are from images, each once.
    pub(crate) image_programs: Vec<ImageProgram>,
    /// The runtime handlers that run no OCI hooks, as far as seen.
    pub(crate) unhooked_handlers: Vec<String>,
    /// The containers that lack the hooks that they should have.
    pub(crate) without_hooks: Vec<Arc<WithoutHooks>>,
}

/// The source of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfiguredBy {
    /// There is no file: the defaults, and the settings of the command line.
    Defaults,
    /// This file.
    File(Arc<str>),
    /// The runtime handed it over.
    Runtime,
}

impl OciHooks {
    /// The configuration file, whether it exists or not.
    pub(crate) fn config_file(&self) -> Arc<str> {
        self.configuration().now().file().clone()
    }

    /// The report now. Reads no file, and does not wait for threads that do.
    pub(crate) fn inspect(&self) -> Inspection {
        let now = self.configuration().now();
        let mut inspection = Inspection {
            config: now.config(),
            configured_by: now.configured_by(),
            configured_at: now.applied().map(|_| now.configured_at()),
            has_configuration: now.applied().is_some(),
            ledger: None,
            active_specs: Vec::new(),
            errors: now.refused().to_vec(),
            older: now.older(),
            invalid_specs: self.selectable().errors(),
            image_programs: self.selectable().image_programs(),
            unhooked_handlers: Vec::new(),
            without_hooks: self.missed().list(),
        };
        if let Some(applied) = now.applied() {
            inspection.active_specs = applied.selector.active_specs();
            let of_active = inspection
                .active_specs
                .iter()
                .flat_map(|(_, spec)| spec.image_programs());
            inspection.image_programs.extend(of_active.cloned());
            inspection.errors.extend(applied.selector.errors());
            inspection.ledger = match applied.ledger.opened() {
                Some(Some(containers)) => {
                    inspection.unhooked_handlers = containers.unhooked_handlers();
                    Some(Ok(containers.ledger().clone()))
                }
                Some(None) => Some(Err(NoLedger::Unneeded)),
                None => applied.ledger.failure().map(Err),
            };
        }
        inspection.image_programs.sort();
        inspection.image_programs.dedup();
        inspection
    }
}
