//! What the plugin says of itself when it is asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{OciHooks, WithoutHooks};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::ledger::Ledger;
use crate::model::{Origin, Timestamp};
use crate::select::{ImageProgram, LoadedSpec, OlderVersion};

/// What the plugin says of itself.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The configuration in force; as long as there is none, the defaults with what the command line
    /// says.
    pub config: Config,
    /// Where it comes from.
    pub configured_by: ConfiguredBy,
    /// When that was taken over; absent if there is none.
    pub configured_at: Option<Timestamp>,
    /// Whether a configuration is in force.
    pub has_configuration: bool,
    /// The ledger, or why there is none; absent as long as it has not been opened.
    pub ledger: Option<Result<Ledger, String>>,
    /// The files in force without being picked, and what they are.
    pub in_force: Vec<(Origin, Arc<LoadedSpec>)>,
    /// What is wrong with the configuration, the default hook-spec and hooks.d, as last looked at.
    pub errors: Vec<Diagnostic>,
    /// The files of these of which an older version is active.
    pub older: Vec<OlderVersion>,
    /// What is wrong with hook-specs that pods may select.
    pub invalid_specs: Vec<Diagnostic>,
    /// The programs of valid hook-specs that are from images, each once.
    pub image_programs: Vec<ImageProgram>,
    /// The runtime handlers that run no OCI hooks, as far as seen.
    pub unhooked_handlers: Vec<String>,
    /// The containers that lack the hooks that they should have.
    pub without_hooks: Vec<Arc<WithoutHooks>>,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfiguredBy {
    /// There is no file: the defaults, and what the command line says.
    Defaults,
    /// This file.
    File(Arc<str>),
    /// The runtime handed it over.
    Runtime,
}

impl OciHooks {
    /// The configuration file, whether it is there or not.
    pub fn config_file(&self) -> Arc<str> {
        self.live().now().file().clone()
    }

    /// What there is to say now. Looks at no file, and waits for nobody who does.
    pub fn inspect(&self) -> Inspection {
        let now = self.live().now();
        let mut inspection = Inspection {
            config: now.config(),
            configured_by: now.configured_by(),
            configured_at: now.in_force().map(|_| now.configured_at()),
            has_configuration: now.in_force().is_some(),
            ledger: None,
            in_force: Vec::new(),
            errors: now.refused().to_vec(),
            older: now.older(),
            invalid_specs: self.selectable().errors(),
            image_programs: self.selectable().image_programs(),
            unhooked_handlers: Vec::new(),
            without_hooks: self.missed().list(),
        };
        if let Some(in_force) = now.in_force() {
            inspection.in_force = in_force.selector.in_force();
            let of_active = inspection
                .in_force
                .iter()
                .flat_map(|(_, spec)| spec.image_programs());
            inspection.image_programs.extend(of_active.cloned());
            inspection.errors.extend(in_force.selector.errors());
            inspection.ledger = match in_force.ledger.opened() {
                Some(Some(containers)) => {
                    inspection.unhooked_handlers = containers.unhooked_handlers();
                    Some(Ok(containers.ledger().clone()))
                }
                Some(None) => Some(Err("there is no ledger".into())),
                None => in_force.ledger.failure().map(Err),
            };
        }
        inspection.image_programs.sort();
        inspection.image_programs.dedup();
        inspection
    }
}
