//! The containers that were found without their hooks, until they are gone.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use containerd_nri::api::{Container, PodSandbox};
use serde::{Deserialize, Serialize};

use super::listed::Listed;
use crate::config::Config;
use crate::model::ProcessId;
use crate::process::Init;

/// The maximum number of decisions in memory where there is no ledger to note them in: more than a node has
/// containers.
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
    /// The reason why it lacks them.
    pub why: String,
    /// The action that was taken, or that is to be taken.
    pub then: String,
}

/// The containers without hooks that are known, shared by all event handlers. No path is accessed with its
/// lock held.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Missed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The list of the Synchronize that is being received.
    incoming: Listed,
    /// The list of the last Synchronize, until it is compared.
    pending: Option<Arc<Listed>>,
    /// The part of it with which the next daemon must continue, should this one end.
    unfinished: Option<Arc<Listed>>,
    /// Whether this process, or the one that it continues, has received such a list.
    has_list: bool,
    /// Whether a thread compares.
    is_comparing: bool,
    connection: Connection,
    /// The containers without hooks, by id.
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
    /// Its end is the container's end; `None` if it cannot be watched.
    pub(super) init: Option<Init>,
}

/// The notes of a daemon for the next one on the same connection, to which the runtime lists nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Notes {
    found: Vec<(WithoutHooks, Option<ProcessId>)>,
    unfinished: Option<Arc<Listed>>,
}

impl Missed {
    /// The runtime configures the plugin; a Synchronize follows.
    pub(in crate::daemon) fn configured(&self) {
        let mut state = self.state();
        state.incoming = Listed::default();
        state.connection = state.connection.next(false);
    }

    /// Stores the pods and containers of one message of a Synchronize.
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

    /// All messages have arrived.
    pub(in crate::daemon) fn synchronized(&self) {
        let mut state = self.state();
        let listed = Arc::new(std::mem::take(&mut state.incoming).of_candidates());
        state.unfinished = Some(listed.clone());
        state.pending = Some(listed);
        state.has_list = true;
        state.connection = state.connection.next(true);
    }

    /// Sets the part of the list that is still to be done.
    pub(super) fn set_unfinished(&self, unfinished: Option<Arc<Listed>>) {
        self.state().unfinished = unfinished;
    }

    /// The connection has ended.
    pub(in crate::daemon) fn disconnected(&self) {
        let mut state = self.state();
        state.connection = state.connection.next(false);
    }

    /// Whether there is something to compare and no thread does so; if so, the caller does from now on.
    pub(super) fn begin_comparing(&self) -> bool {
        let mut state = self.state();
        let begins = state.pending.as_deref().is_some_and(Listed::is_due) && !state.is_comparing;
        state.is_comparing |= begins;
        begins
    }

    /// The next list to compare, and its connection; if there is none, the caller's work is over.
    pub(super) fn next_to_compare(&self) -> Option<(Arc<Listed>, Connection)> {
        let mut state = self.state();
        let is_due = state.pending.as_deref().is_some_and(Listed::is_due);
        let next = if is_due { state.pending.take() } else { None };
        state.is_comparing = next.is_some();
        next.map(|next| (next, state.connection))
    }

    /// Stores a list that cannot be compared now, unless there is a newer one. The caller's work is over.
    pub(super) fn put_back(&self, listed: Arc<Listed>) {
        let mut state = self.state();
        state.pending.get_or_insert(listed);
        state.is_comparing = false;
    }

    /// Whether the runtime is still connected by this connection.
    pub(super) fn is_connected(&self, connection: Connection) -> bool {
        connection.is_open && self.state().connection == connection
    }

    /// Replaces the findings, or only those that were compared again. Returns the containers that were not
    /// found before.
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

    /// Sets the action for a container.
    pub(super) fn set_then(&self, id: &str, then: String) {
        if let Some(found) = self.state().found.get_mut(id) {
            Arc::make_mut(&mut found.container).then = then;
        }
    }

    /// Forgets a removed container. Returns whether that changes the notes for the next daemon.
    pub(in crate::daemon) fn removed(&self, id: &str) -> bool {
        let mut state = self.state();
        state.decided.remove(id);
        let forget = |listed: &mut Option<Arc<Listed>>| {
            let listed = listed.as_mut().filter(|listed| listed.has(id));
            listed.map(|listed| Arc::make_mut(listed).forget(id)).is_some()
        };
        forget(&mut state.pending);
        let was_unfinished = forget(&mut state.unfinished);
        state.found.remove(id).is_some() || was_unfinished
    }

    /// Remembers the decision that the container gets no hooks where there is no ledger to note it in.
    pub(in crate::daemon) fn remember_decision(&self, id: &str) {
        let mut state = self.state();
        if state.decided.len() < MAX_REMEMBERED {
            state.decided.insert(id.to_owned());
        }
    }

    /// The decisions that no ledger has, limited to the containers that exist.
    pub(super) fn remembered_decisions(&self, there: &HashSet<String>) -> HashSet<String> {
        let mut state = self.state();
        state.decided.retain(|id| there.contains(id));
        state.decided.clone()
    }

    /// Forgets containers whose init has ended. Reads `/proc`.
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

    /// The notes for the next daemon.
    pub(super) fn notes(&self) -> Notes {
        let state = self.state();
        let note = |found: &Found| {
            (
                WithoutHooks::clone(&found.container),
                found.init.map(Init::process),
            )
        };
        Notes {
            found: state.found.values().map(note).collect(),
            unfinished: state.unfinished.clone(),
        }
    }

    /// Continues on the same connection, with the notes of an earlier daemon if there was one. Returns
    /// whether the list of that connection is known.
    pub(super) fn resume(&self, notes: Option<Notes>) -> bool {
        let mut state = self.state();
        state.connection = state.connection.next(true);
        if let Some(notes) = notes {
            state.found = notes.found.into_iter().map(Found::noted).collect();
            state.unfinished = notes.unfinished.clone();
            state.pending = notes.unfinished;
            state.has_list = true;
        }
        state.has_list
    }

    /// The containers that were found.
    pub(in crate::daemon) fn list(&self) -> Vec<Arc<WithoutHooks>> {
        let state = self.state();
        let found = state.found.values();
        found.map(|found| found.container.clone()).collect()
    }

    /// The state is consistent after a panic: each change is a single assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn noted((container, init): (WithoutHooks, Option<ProcessId>)) -> (String, Found) {
        let id = container.id.clone();
        let found = Found {
            container: Arc::new(container),
            init: init.map(Init::new),
        };
        (id, found)
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
    use containerd_nri::api::ContainerState;

    use super::*;
    use crate::process::process;

    #[test]
    fn a_container_that_was_found_is_known_to_the_next_daemon_until_it_is_gone() {
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

        let next = next_daemon(&first);
        next.prune();
        let ids =
            |missed: &Missed| -> Vec<String> { missed.list().iter().map(|found| found.id.clone()).collect() };
        assert_eq!(ids(&next), ["runs", "unwatched"]);
        assert!(next.removed("unwatched"));
        assert_eq!(ids(&next_daemon(&next)), ["runs"]);
    }

    /// The daemon after `before`, on the same connection.
    fn next_daemon(before: &Missed) -> Missed {
        let notes = serde_json::to_vec(&before.notes()).unwrap();
        let next = Missed::default();
        assert!(next.resume(serde_json::from_slice(&notes).unwrap()));
        next
    }

    #[test]
    fn a_list_that_was_not_compared_to_its_end_is_compared_by_the_next_daemon() {
        let pod = PodSandbox {
            id: "pod".into(),
            ..PodSandbox::default()
        };
        let container = |id: &str| Container {
            id: id.into(),
            pod_sandbox_id: "pod".into(),
            state: ContainerState::CONTAINER_RUNNING.into(),
            ..Container::default()
        };
        let first = Missed::default();
        first.add(&[pod], &[container("one"), container("two")], None);
        first.synchronized();
        assert!(first.begin_comparing());
        let (listed, _) = first.next_to_compare().unwrap();
        assert!(first.removed("two"));

        let next = next_daemon(&first);
        assert!(next.begin_comparing());
        let (again, connection) = next.next_to_compare().unwrap();
        let ids: Vec<&str> = again.candidates.iter().map(|it| &*it.id).collect();
        assert_eq!(ids, ["one"]);
        assert!(again.pods.contains_key("pod"));
        let own = process(std::process::id().cast_signed()).unwrap();
        let later = ProcessId {
            started: own.started + 1_000_000,
            ..own
        };
        assert!(again.is_of_its_time(own));
        assert!(!again.is_of_its_time(later), "its number was used again");
        assert!(next.is_connected(connection));

        first.set_unfinished(listed.rest(&HashSet::new()).map(Arc::new));
        assert!(!next_daemon(&first).begin_comparing());
        assert!(first.resume(None), "the same daemon is connected again");
        assert!(!Missed::default().resume(None), "a daemon has died without notes");
    }
}
