//! The hooks that a delivery can run.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::LoadedSpec;
use crate::config::{Config, Delivery};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Stage, escaped};

/// Hooks of a stage that a container's delivery cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{}:{line}: {stage} hooks cannot be run with delivery {delivery}: they need the OCI runtime, which gets no hooks \
     with this delivery; {REMEDY}",
    escaped(.file)
)]
pub struct NotDeliverable {
    /// The file of the first such hook.
    pub(crate) file: Arc<str>,
    /// Its line.
    pub(crate) line: usize,
    /// Their stage.
    pub(crate) stage: Stage,
    /// The delivery.
    pub(crate) delivery: Delivery,
}

const REMEDY: &str = "move them to another stage, or set another delivery for the runtime handler";

/// The deliveries of a configuration, by which its files are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    of_others: Delivery,
    of_handlers: BTreeMap<String, Delivery>,
}

impl Delivery {
    /// Whether hooks of `stage` run with it.
    pub(crate) fn runs(self, stage: Stage) -> bool {
        self != Delivery::Events || !stage.is_in_container()
    }
}

impl Deliveries {
    /// The deliveries of `config`.
    pub(crate) fn of(config: &Config) -> Deliveries {
        Deliveries {
            of_others: config.delivery,
            of_handlers: config.runtimes.clone(),
        }
    }

    /// Whether hooks of `stage` run for some container.
    fn run(&self, stage: Stage) -> bool {
        let mut all = self.of_handlers.values().chain([&self.of_others]);
        all.any(|delivery| delivery.runs(stage))
    }

    /// The containers that get no hooks of `stage`, in words; empty if all do.
    fn without(&self, stage: Stage) -> Vec<String> {
        let handlers = self.of_handlers.iter();
        let handlers = handlers.filter(|(_, delivery)| !delivery.runs(stage));
        let mut without: Vec<String> = handlers
            .map(|(name, _)| format!("runtime handler {}", escaped(name)))
            .collect();
        if !self.of_others.runs(stage) {
            without.push("all other runtime handlers".to_owned());
        }
        without
    }

    /// Fails if `spec` has hooks that run for no container.
    pub(crate) fn check(&self, spec: &LoadedSpec) -> Result<(), Vec<Diagnostic>> {
        let never = spec.spec().stages.keys().filter(|stage| !self.run(**stage));
        let errors: Vec<Diagnostic> = never
            .map(|stage| {
                let message = format!("{stage} hooks cannot be run with delivery {}", Delivery::Events);
                diagnostic(spec, *stage, message)
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// A warning for each stage of `spec` whose hooks run for some containers and not for others.
    pub(crate) fn partly(&self, spec: &LoadedSpec) -> Vec<Diagnostic> {
        let stages = spec.spec().stages.keys().filter(|stage| self.run(**stage));
        let partly = stages.filter_map(|stage| {
            let without = self.without(*stage);
            let message = format!(
                "{stage} hooks cannot be run with delivery {}, which is set for {}: containers there that need them are not \
                 created",
                Delivery::Events,
                without.join(", ")
            );
            (!without.is_empty()).then(|| diagnostic(spec, *stage, message))
        });
        partly.collect()
    }
}

fn diagnostic(spec: &LoadedSpec, stage: Stage, message: String) -> Diagnostic {
    Diagnostic {
        stage: Some(stage),
        ..Diagnostic::of_file(spec.file(), Rule::StageNotDeliverable, message, REMEDY)
    }
}

impl LoadedSpec {
    /// Fails if `delivery` cannot run one of its stages.
    pub(super) fn check_delivery(&self, delivery: Delivery) -> Result<(), NotDeliverable> {
        for (stage, hooks) in &self.spec().stages {
            if let Some(first) = hooks.first().filter(|_| !delivery.runs(*stage)) {
                return Err(NotDeliverable {
                    file: self.file().clone(),
                    line: first.line,
                    stage: *stage,
                    delivery,
                });
            }
        }
        Ok(())
    }
}
