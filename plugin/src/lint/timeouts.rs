//! The sum of the timeouts of a stage's hooks, compared with the wait of the runtime.

use super::lints::{Linted, LintedHook};
use crate::config::{Config, Delivery};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Stage, Timeout};

/// The time that the kubelet waits for one call to the runtime by default (`runtimeRequestTimeout`), in
/// seconds.
const CALL: u64 = 120;

/// The time that containerd gives a container's end, OCI poststop hooks included, in seconds
/// (`handleEventTimeout` in its CRI plugin).
const CONTAINERD_EXIT: u64 = 10;

/// A stage whose hooks may take longer together than the runtime waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overrun {
    /// The stage.
    pub(crate) stage: Stage,
    /// The first hook that may begin or still run after the runtime has given up; from 0.
    pub(crate) index: usize,
    /// The time that all hooks of the stage may take together, in seconds.
    pub(crate) total: u64,
    /// The time that the runtime waits, in seconds.
    pub(crate) limit: u64,
}

/// Each stage of `stages` whose timeouts exceed the wait of the runtime.
pub(crate) fn overruns(
    stages: impl IntoIterator<Item = (Stage, Vec<Timeout>)>,
    delivery: Delivery,
) -> Vec<Overrun> {
    let overrun = |(stage, timeouts): (Stage, Vec<Timeout>)| {
        let limit = limit(stage, delivery);
        let mut total = 0;
        let mut first = None;
        for (index, timeout) in timeouts.into_iter().enumerate() {
            total += u64::from(timeout.seconds());
            if total > limit {
                first.get_or_insert(index);
            }
        }
        first.map(|index| Overrun {
            stage,
            index,
            total,
            limit,
        })
    };
    stages.into_iter().filter_map(overrun).collect()
}

impl Overrun {
    /// The message for the stage.
    pub(crate) fn message(&self) -> String {
        let Overrun {
            stage, total, limit, ..
        } = self;
        let waits = if *limit == CONTAINERD_EXIT {
            "containerd ends the stage"
        } else {
            "kubelet gives up on the call"
        };
        format!("with this hook the {stage} hooks may take {total} s in all, but {waits} after {limit} s")
    }

    /// The hint.
    pub(crate) fn help(&self, config: &Config) -> String {
        let default = config.default_timeout.seconds();
        format!("give hooks of this stage shorter timeouts; one without gets {default} s")
    }
}

/// The time that the runtime waits for a stage. Our runner ends its poststop list whatever the runtime does,
/// so the 10 seconds hold for hooks that the OCI runtime runs itself.
fn limit(stage: Stage, delivery: Delivery) -> u64 {
    match (stage, delivery) {
        (Stage::Poststop, Delivery::Direct) => CONTAINERD_EXIT,
        _ => CALL,
    }
}

/// At most one warning for each stage.
pub(super) fn lint<'l>(linted: &'l Linted<'_>, config: &'l Config) -> impl Iterator<Item = Diagnostic> + 'l {
    let stages = linted.spec.spec().stages.iter().map(|(stage, hooks)| {
        let timeouts = hooks
            .iter()
            .map(|hook| hook.timeout.unwrap_or(config.default_timeout));
        (*stage, timeouts.collect())
    });
    overruns(stages, config.delivery)
        .into_iter()
        .filter_map(|overrun| {
            let is_it = |at: &LintedHook<'_>| (at.stage, at.index) == (overrun.stage, overrun.index);
            let at = linted.hooks().find(is_it)?;
            let what = (overrun.message(), overrun.help(config));
            Some(linted.warning(at, ("timeout", at.places.timeout), Rule::TimeoutsTooLong, what))
        })
}
