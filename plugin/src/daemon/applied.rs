//! The selector and the ledger of one configuration.

use std::sync::Arc;

use super::lazy_ledger::LazyLedger;
use super::lifecycle::RunnerProgram;
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Rule};
use crate::select::{Copies, Selector};

/// A configuration in use.
#[derive(Debug)]
pub(super) struct AppliedConfig {
    pub(super) selector: Selector,
    pub(super) ledger: Arc<LazyLedger>,
}

impl AppliedConfig {
    /// Reads no file yet.
    pub(super) fn new(config: Config, runner: &RunnerProgram) -> AppliedConfig {
        AppliedConfig {
            ledger: Arc::new(LazyLedger::new(&config, runner)),
            selector: {
                let copies = Copies::of(&config);
                Selector::with_copies(config, copies)
            },
        }
    }

    /// The same for another configuration, read from `source`, which replaces this one; see
    /// [`Selector::succeed`].
    ///
    /// Fails with every error. Fails too if the configuration needs another ledger, or events of the runtime
    /// that are subscribed to only at the start.
    pub(super) fn succeed(
        &self,
        source: &Arc<str>,
        config: Config,
    ) -> Result<AppliedConfig, Vec<Diagnostic>> {
        let fixed = |field: &str, message: &str| {
            let help = "restart the daemon to apply it";
            vec![Diagnostic::of_file(source, Rule::InvalidValue, message, help).in_field(field)]
        };
        let before = self.selector.config();
        if config.state_dir != before.state_dir {
            return Err(fixed("state_dir", "cannot change while the daemon runs"));
        }
        if config.listen != before.listen {
            return Err(fixed("listen", "cannot change while the daemon runs"));
        }
        let has_ledger = match self.ledger.opened() {
            Some(opened) => opened.is_some(),
            None => before.needs_ledger(),
        };
        if config.needs_ledger() && !has_ledger {
            let message = "needs the ledger, but the daemon runs without one";
            return Err(fixed("delivery", message));
        }
        if config.needs_all_events() && !before.needs_all_events() {
            let message = "needs events to which the daemon is not subscribed";
            return Err(fixed("delivery", message));
        }
        Ok(AppliedConfig {
            selector: self.selector.succeed(config)?,
            ledger: self.ledger.clone(),
        })
    }
}
