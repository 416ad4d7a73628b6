//! Stages that only the OCI runtime itself can reach, where the configuration has others run hooks.

use std::collections::HashSet;

use super::lints::Linted;
use crate::config::{Config, Delivery};
use crate::diagnostic::{Diagnostic, Rule};

/// One warning for each such stage, at its first hook, unless some pods' hooks are delivered
/// `direct`.
pub(super) fn lint<'l>(linted: &'l Linted<'_>, config: &Config) -> impl Iterator<Item = Diagnostic> + 'l {
    let mut deliveries = config.runtimes.values().chain([&config.delivery]);
    let is_reached = deliveries.any(|delivery| *delivery == Delivery::Direct);
    let delivery = config.delivery;
    let mut told = HashSet::new();
    let hooks = linted.hooks().filter(move |_| !is_reached);
    let unreached = hooks.filter(move |at| at.stage.needs_direct() && told.insert(at.stage));
    unreached.map(move |at| {
        let stage = at.stage;
        let message = format!(
            "{stage} hooks need delivery direct, but it is {delivery}: a container with them is refused"
        );
        let help = "move them to prestart, poststart or poststop, or set delivery = \"direct\"";
        linted.warning(at, ("", None), Rule::StageNeedsDirect, (message, help.to_owned()))
    })
}
