//! The containers that were found without their hooks, until they are gone.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use containerd_nri::api::{Container, PodSandbox};
use serde::{Deserialize, Serialize};

use super::listed::Listed;
use crate::config::Config;
use crate::model::ProcessId;
use crate::process::Init;

/// How many decisions are remembered where there is no ledger to note them in: more than a node has containers.
const MAX_REMEMBERED: usize = 16_384;

/// A container that lacks the hooks that it should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutHooks {
    /// Its pod's namespace.
    pub namespace: String,
    /// Its pod.
    pub pod: String,
    /// Its name in the pod.
    pub container: String,
    /// Its id.
    pub id: String,
    /// Why it lacks them.
    pub why: String,
    /// What is done about it, or what is to be done.
    pub then: String,
}

/// What is known of containers without hooks, shared by all who handle events. No path is touched with its lock held.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Missed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Of the Synchronize that is coming in.
    incoming: Listed,
    /// Of the last one, until it is compared.
    pending: Option<Listed>,
    /// Whether a thread compares.
    is_comparing: bool,
    connection: Connection,
    /// By id.
    found: BTreeMap<String, Found>,
    /// The containers that were decided to get no hooks, where no ledger has them.
    decided: HashSet<String>,
}

/// One connection to the runtime, from a Synchronize to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Connection {
    number: u64,
    is_open: bool,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) container: Arc<WithoutHooks>,
    /// Its end is the container's; none if it cannot be watched.
    pub(super) init: Option<Init>,
}

/// The same, for the daemon that comes after this one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Noted {
    container: WithoutHooks,
    init: ProcessId,
}

impl Missed {
    /// The runtime configures the plugin; a Synchronize follows.
    pub(in crate::daemon) fn configured(&self) {
        let mut state = self.state();
        state.incoming = Listed::default();
        state.connection = state.connection.next(false);
    }

    /// Keeps what one message of a Synchronize brings.
    pub(in crate::daemon) fn add(
        &self,
        pods: &[PodSandbox],
        containers: &[Container],
        config: Option<&Config>,
    ) {
        let mut incoming = std::mem::take(&mut self.state().incoming);
        incoming.add(pods, containers, config);
        self.state().incoming = incoming;
    }

    /// All messages are there.
    pub(in crate::daemon) fn synchronized(&self) {
        let mut state = self.state();
        state.pending = Some(std::mem::take(&mut state.incoming));
        state.connection = state.connection.next(true);
    }

    /// The connection has ended.
    pub(in crate::daemon) fn disconnected(&self) {
        let mut state = self.state();
        state.connection = state.connection.next(false);
    }

    /// Whether there is something to compare and nobody is at it; if so, the caller is from now on.
    pub(super) fn begin_comparing(&self) -> bool {
        let mut state = self.state();
        let begins = state.pending.as_ref().is_some_and(Listed::is_due) && !state.is_comparing;
        state.is_comparing |= begins;
        begins
    }

    /// What is to be compared next, and on which connection it came; if there is nothing, the caller's work is over.
    pub(super) fn next_to_compare(&self) -> Option<(Listed, Connection)> {
        let mut state = self.state();
        let is_due = state.pending.as_ref().is_some_and(Listed::is_due);
        let next = if is_due { state.pending.take() } else { None };
        state.is_comparing = next.is_some();
        next.map(|next| (next, state.connection))
    }

    /// It cannot be compared now, and is kept unless there is a newer one. The caller's work is over.
    pub(super) fn put_back(&self, listed: Listed) {
        let mut state = self.state();
        state.pending.get_or_insert(listed);
        state.is_comparing = false;
    }

    /// Whether the runtime is still connected as it was then.
    pub(super) fn is_connected(&self, connection: Connection) -> bool {
        connection.is_open && self.state().connection == connection
    }

    /// Replaces what was found, or that alone which was compared again. Returns the containers that were not found
    /// before.
    pub(super) fn replace(&self, found: BTreeMap<String, Found>, is_again: bool) -> Vec<Arc<WithoutHooks>> {
        let mut state = self.state();
        let before: HashSet<String> = state.found.keys().cloned().collect();
        match is_again {
            true => state.found.extend(found),
            false => state.found = found,
        }
        drop(state);
        let is_new = |container: &Arc<WithoutHooks>| !before.contains(&container.id);
        self.list().into_iter().filter(is_new).collect()
    }

    /// What is done about a container is this now.
    pub(super) fn set_then(&self, id: &str, then: String) {
        if let Some(found) = self.state().found.get_mut(id) {
            Arc::make_mut(&mut found.container).then = then;
        }
    }

    /// The container is removed.
    pub(in crate::daemon) fn removed(&self, id: &str) {
        let mut state = self.state();
        state.found.remove(id);
        if let Some(pending) = &mut state.pending {
            pending.forget(id);
        }
        state.decided.remove(id);
    }

    /// It was decided that the container gets no hooks, and there is no ledger to note it in.
    pub(in crate::daemon) fn remember_decision(&self, id: &str) {
        let mut state = self.state();
        if state.decided.len() < MAX_REMEMBERED {
            state.decided.insert(id.to_owned());
        }
    }

    /// The decisions that no ledger has, but of the containers that are there.
    pub(super) fn remembered_decisions(&self, there: &HashSet<String>) -> HashSet<String> {
        let mut state = self.state();
        state.decided.retain(|id| there.contains(id));
        state.decided.clone()
    }

    /// Forgets containers whose init has ended. Looks into `/proc`.
    pub(super) fn prune(&self) {
        let watched: Vec<(String, Init)> = {
            let state = self.state();
            let watched = state.found.iter();
            let watched = watched.filter_map(|(id, found)| Some((id.clone(), found.init?)));
            watched.collect()
        };
        for (id, _) in watched.iter().filter(|(_, init)| !init.is_alive()) {
            self.state().found.remove(id);
        }
    }

    /// What was found of containers whose end can be watched.
    pub(super) fn noted(&self) -> Vec<Noted> {
        let state = self.state();
        let noted = state.found.values().filter_map(|found| {
            let (container, init) = (WithoutHooks::clone(&found.container), found.init?.process());
            Some(Noted { container, init })
        });
        noted.collect()
    }

    /// Takes over what an earlier daemon on the same connection has found, as far as it still runs. Looks into `/proc`.
    pub(super) fn take_over(&self, noted: Vec<Noted>) {
        for Noted { container, init } in noted {
            let init = Init::new(init);
            if init.is_alive() {
                let found = Found {
                    container: Arc::new(container),
                    init: Some(init),
                };
                let id = found.container.id.clone();
                self.state().found.entry(id).or_insert(found);
            }
        }
    }

    /// What was found.
    pub(in crate::daemon) fn list(&self) -> Vec<Arc<WithoutHooks>> {
        let state = self.state();
        let found = state.found.values();
        found.map(|found| found.container.clone()).collect()
    }

    /// What a panic leaves behind is whole: each change is a single assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn next(self, is_open: bool) -> Connection {
        Connection {
            number: self.number + 1,
            is_open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::process;

    #[test]
    fn a_container_that_was_found_is_known_to_the_next_daemon_while_it_runs() {
        let own = process(std::process::id().cast_signed()).unwrap();
        let ended = ProcessId {
            started: own.started + 1,
            ..own
        };
        let found = |id: &str, init| {
            let container = WithoutHooks {
                namespace: "default".into(),
                pod: "web".into(),
                container: "app".into(),
                id: id.into(),
                why: "it was created before the daemon".into(),
                then: "it is reported".into(),
            };
            let container = Arc::new(container);
            (id.to_owned(), Found { container, init })
        };
        let first = Missed::default();
        let all = [
            found("runs", Some(Init::new(own))),
            found("ended", Some(Init::new(ended))),
            found("unwatched", None),
        ];
        first.replace(all.into(), false);

        let next = Missed::default();
        next.take_over(first.noted());
        let ids: Vec<String> = next.list().iter().map(|found| found.id.clone()).collect();
        assert_eq!(ids, ["runs"]);
    }
}
