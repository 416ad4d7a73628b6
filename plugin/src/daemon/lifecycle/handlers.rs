//! Finds runtime handlers that run no OCI hooks: the runner of their containers is never started.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use containerd_nri::api::Container;

use crate::model::escaped;

/// A handler is reported without further proof after this number of removed containers, if no runner of the
/// handler was ever started. A single container may never have been started itself.
const PROOF: u64 = 3;

/// The observations about each runtime handler of the containers that the runner was injected into.
#[derive(Debug, Default)]
pub(super) struct Handlers(Mutex<BTreeMap<String, Seen>>);

/// The observations about one handler.
#[derive(Debug, Default)]
struct Seen {
    /// Removed containers whose runner was never started.
    without: u64,
    /// Whether a runner was started for any.
    runs_hooks: bool,
    /// Whether a container of it is known to have run without its runner.
    is_proven: bool,
    is_reported: bool,
}

impl Seen {
    fn is_unhooked(&self) -> bool {
        !self.runs_hooks && (self.is_proven || self.without >= PROOF)
    }
}

impl Handlers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a removed container of `handler`, and whether a runner `was_started` for it. Logs once that a
    /// handler runs no hooks.
    pub(super) fn note(&self, handler: &str, container: &Container, was_started: bool) {
        let mut handlers = self.lock();
        let seen = handlers.entry(handler.to_owned()).or_default();
        if was_started {
            seen.runs_hooks = true;
            return;
        }
        seen.without += 1;
        // The times are set since containerd 2.3 and CRI-O 1.36.
        seen.is_proven |= container.started_at > 0 || container.finished_at > 0;
        if seen.is_unhooked() && !seen.is_reported {
            seen.is_reported = true;
            tracing::error!(
                "{} runs no OCI hooks, so its containers got none; set delivery = \"events\" for it in [runtimes.NAME] \
                 of the configuration, and restart the daemon",
                name(handler)
            );
        }
    }

    /// The handlers that run no hooks.
    pub(super) fn unhooked(&self) -> Vec<String> {
        let handlers = self.lock();
        let unhooked = handlers.iter().filter(|(_, seen)| seen.is_unhooked());
        unhooked.map(|(handler, _)| handler.clone()).collect()
    }
}

fn name(handler: &str) -> String {
    match handler {
        "" => "the default runtime handler".to_owned(),
        handler => format!("the runtime handler {}", escaped(handler)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started_at(started_at: i64) -> Container {
        Container {
            started_at,
            ..Default::default()
        }
    }

    #[test]
    fn a_handler_is_reported_when_one_container_is_known_to_have_run_without_its_runner() {
        let handlers = Handlers::default();
        handlers.note("kata", &started_at(7), false);
        assert_eq!(handlers.unhooked(), ["kata"]);
    }

    #[test]
    fn where_the_runtime_gives_no_times_several_containers_are_needed() {
        let handlers = Handlers::default();
        for expected in [vec![], vec![], vec!["kata".to_owned()]] {
            handlers.note("kata", &started_at(0), false);
            assert_eq!(handlers.unhooked(), expected);
        }
    }

    #[test]
    fn a_handler_that_has_started_a_runner_is_not_reported() {
        let handlers = Handlers::default();
        handlers.note("runc", &started_at(7), true);
        for _ in 0..PROOF {
            handlers.note("runc", &started_at(7), false);
        }
        assert_eq!(handlers.unhooked(), [""; 0]);
    }
}
