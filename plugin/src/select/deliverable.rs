//! Which hooks a delivery can run at all.

use thiserror::Error;

use super::Frozen;
use crate::config::Delivery;
use crate::diagnostic::shown;
use crate::spec::Stage;

/// Hooks of a stage that only the OCI runtime itself can run, for a container whose delivery leaves
/// the running to us.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{}:{line}: {stage} hooks need delivery direct, but this container's is {delivery}; \
     remove them, or set another delivery for its runtime handler",
    shown(.file)
)]
pub struct NeedsDirect {
    /// The hook-spec that has the first.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// Their stage.
    pub stage: Stage,
    /// What the configuration says.
    pub delivery: Delivery,
}

impl Frozen {
    /// Fails if `delivery` cannot run one of the stages.
    pub fn check_delivery(&self, delivery: Delivery) -> Result<(), NeedsDirect> {
        let stages = self.stages.iter().filter(|(stage, _)| stage.needs_direct());
        let first = stages
            .filter_map(|(stage, hooks)| Some((*stage, hooks.first()?)))
            .next();
        match first {
            Some((stage, first)) if delivery != Delivery::Direct => Err(NeedsDirect {
                file: first.source.file.to_string(),
                line: first.source.line,
                stage,
                delivery,
            }),
            _ => Ok(()),
        }
    }
}
