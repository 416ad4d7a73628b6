//! Stages that run for some containers and not for others, depending on the delivery of their runtime
//! handler.

use super::lints::Linted;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::select::Deliveries;

/// One warning for each such stage.
pub(super) fn lint(linted: &Linted<'_>, config: &Config) -> Vec<Diagnostic> {
    Deliveries::of(config).partly(linted.spec)
}
