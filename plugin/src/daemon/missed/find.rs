//! Compares the running containers with the hooks of the active configuration, after a Synchronize.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::OciHooks;
use super::super::applied::AppliedConfig;
use super::super::lazy_ledger::NoLedger;
use super::super::lifecycle::Containers;
use super::end::{self, ToEnd};
use super::init::init_in_group;
use super::listed::{Candidate, Listed, PodFacts};
use super::registry::{Found, WithoutHooks};
use super::verdict::{Daemon, Entry, Hooks, Situation, Then, Verdict};
use crate::front::{self, Link};
use crate::ledger::{BootId, LedgerError};
use crate::model::{ContainerId, ProcessId, bounded_list};
use crate::pod::refused_in;
use crate::process::{Init, process};
use crate::select::{Deadline, Selector};
use crate::system;

/// The maximum time of the selection for one container: no request waits for it.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// The time for which a decision is kept about a container that its runtime does not list yet.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The number of lines that the log takes at once; further ones are written slowly, so that none is lost.
const MAX_LINES_AT_ONCE: usize = 256;
const LINE_INTERVAL: Duration = Duration::from_millis(2);

impl OciHooks {
    /// Compares the containers of the last Synchronize, unless that is done, on a thread of its own. Returns
    /// at once.
    pub(in crate::daemon) fn find_missed(&self) {
        if !self.missed().begin_comparing() {
            return;
        }
        let plugin = self.clone();
        let spawned = thread::Builder::new()
            .name("missed".into())
            .spawn(move || plugin.compare_all());
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot look for containers without hooks");
        }
    }

    /// Forgets containers without hooks whose init has ended, and compares those that could not be compared
    /// before. Blocks.
    pub(crate) fn refresh_missed(&self) {
        self.missed().prune();
        self.find_missed();
    }

    fn compare_all(&self) {
        while let Some((listed, connection)) = self.missed().next_to_compare() {
            let compared = match Ground::of(self) {
                Ok(Some(ground)) => self.compare(&listed, &ground),
                // Either a configuration and a ledger follow, or this is not compared.
                Ok(None) => return self.missed().put_back(listed),
                Err(error) => {
                    tracing::warn!(%error, "cannot look for containers without hooks; trying again");
                    return self.missed().put_back(listed);
                }
            };
            // The runtime had not started some of them when it listed them.
            let later = listed.again(&compared.without_init).map(Arc::new);
            let unfinished = listed.rest(&compared.unfinished()).map(Arc::new);
            self.missed().set_unfinished(unfinished);
            self.note_missed();
            drop(listed);
            system::return_free_memory();
            end::end_all(self, connection, compared.to_end);
            self.missed().set_unfinished(later.clone());
            self.note_missed();
            if let Some(later) = later {
                return self.missed().put_back(later);
            }
        }
    }

    /// Reports containers that lack their hooks.
    fn compare(&self, listed: &Listed, ground: &Ground) -> Compared {
        let mut without_init = HashSet::new();
        let remembered = self.missed().remembered_decisions(&listed.ids);
        let (mut found, mut to_end) = (BTreeMap::new(), Vec::new());
        for candidate in &listed.candidates {
            let Some(pod) = listed.pods.get(&candidate.pod) else {
                continue;
            };
            let entry = ground.entry(&candidate.id);
            if matches!(entry, Entry::Registered) {
                // Most containers: nothing else is checked.
                continue;
            }
            let init = ground.init(candidate, listed);
            let hooks = ground.hooks(candidate, pod);
            let situation = Situation {
                init,
                entry,
                was_decided: ground.was_decided(&candidate.id) || remembered.contains(&candidate.id),
                hooks: &hooks,
                is_excluded: ground.config().exclude_namespaces.contains(&pod.namespace),
                always_restarts: pod.always_restarts,
                daemon: &ground.daemon,
            };
            match situation.verdict() {
                Verdict::NotMissed => {}
                Verdict::DecidedNow => self.decided_without(&ground.applied, &candidate.id),
                Verdict::Missed(why, then) => {
                    let container = Arc::new(WithoutHooks {
                        namespace: pod.namespace.clone(),
                        pod: pod.name.clone(),
                        container: candidate.name.clone(),
                        id: candidate.id.clone(),
                        why: why.to_string(),
                        then: then.to_string(),
                    });
                    if init.is_none() && candidate.pid == 0 {
                        without_init.insert(candidate.id.clone());
                    }
                    let init = init.map(Init::new);
                    if let (Then::End, Some(init)) = (then, init) {
                        let container = container.clone();
                        to_end.push(ToEnd { container, init });
                    }
                    found.insert(candidate.id.clone(), Found { container, init });
                }
            }
        }
        ground.prune_decisions(&listed.ids);
        report(&self.missed().replace(found, listed.is_again()));
        Compared { to_end, without_init }
    }

    /// Leaves the findings, and the list that is not compared yet, to the next daemon on this connection.
    /// The front keeps them: there may be no ledger.
    pub(in crate::daemon) fn note_missed(&self) {
        if let Some(front) = front::link()
            && let Err(error) = front.note(&self.missed().notes())
        {
            tracing::warn!(%error, "cannot keep for the next daemon which containers lack hooks");
        }
    }

    /// Continues on a connection that is resumed, with the notes of the daemon before this one.
    pub(in crate::daemon) fn resume_missed(&self) {
        let notes = front::link().map_or(Ok(None), Link::take_notes);
        let notes = notes.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read the notes of the daemon before this one");
            None
        });
        if !self.missed().resume(notes) {
            tracing::warn!(
                "containers without their hooks are unknown: the daemon before this one left no notes"
            );
        }
    }

    /// Notes a daemon's decision that the container gets no hooks: it is no miss, whatever the configuration
    /// is later.
    pub(in crate::daemon) fn decided_without(&self, applied: &AppliedConfig, id: &str) {
        match (applied.ledger.opened(), id.parse()) {
            (Some(Some(containers)), Ok(id)) => containers.note_without(id),
            _ => self.missed().remember_decision(id),
        }
    }

    /// The reason why the active configuration is not reliable, at the last check; `None` if it is.
    pub(super) fn unsound(&self, applied: &AppliedConfig) -> Option<String> {
        let mut errors = self.configuration().now().refused().to_vec();
        errors.extend(applied.selector.errors());
        errors.extend(self.selectable().errors());
        if !errors.is_empty() {
            return Some(bounded_list(&errors).to_string());
        }
        let file = self.config_file();
        let directory = Path::new(&*file).parent().unwrap_or(Path::new("/"));
        match refused_in(directory) {
            Ok(refused) if refused.is_empty() => {}
            Ok(refused) => return Some(bounded_list(&refused).to_string()),
            Err(error) => return Some(error.to_string()),
        }
        match applied.ledger.opened() {
            Some(Some(_)) => applied.ledger.access().err().map(|error| error.to_string()),
            Some(None) => Some("there is no ledger".to_owned()),
            None => {
                let failure = applied.ledger.failure();
                Some(failure.map_or_else(
                    || "the ledger is not open yet".to_owned(),
                    |error| error.to_string(),
                ))
            }
        }
    }
}

/// The result of a comparison.
struct Compared {
    /// The containers whose init is to be ended.
    to_end: Vec<ToEnd>,
    /// The ids of containers whose init does not exist yet.
    without_init: HashSet<String>,
}

impl Compared {
    /// The containers with which the next daemon must continue, should this one end.
    fn unfinished(&self) -> HashSet<String> {
        let to_end = self.to_end.iter().map(|it| it.container.id.clone());
        to_end.chain(self.without_init.iter().cloned()).collect()
    }
}

/// Logs one warning per container.
fn report(found: &[Arc<WithoutHooks>]) {
    for (number, container) in found.iter().enumerate() {
        let WithoutHooks {
            namespace,
            pod,
            container,
            id,
            why,
            then,
        } = &**container;
        let _about = tracing::error_span!("container", namespace, pod, container, id).entered();
        tracing::warn!("it runs without the hooks that it should have: {why}; {then}");
        if number >= MAX_LINES_AT_ONCE {
            thread::sleep(LINE_INTERVAL);
        }
    }
}

/// The data that containers are compared with.
struct Ground {
    applied: Arc<AppliedConfig>,
    /// None if there is no ledger.
    containers: Option<Containers>,
    /// The containers in the ledger.
    registered: HashSet<ContainerId>,
    /// Those of them whose start may not be over: for the others a runner was started.
    starting: HashSet<ContainerId>,
    /// The containers that were decided to get no hooks.
    decided: HashSet<ContainerId>,
    daemon: Daemon,
}

impl Ground {
    /// None if there is no active configuration, or no ledger yet.
    fn of(plugin: &OciHooks) -> Result<Option<Ground>, LedgerError> {
        let up_to_date = plugin.configuration().up_to_date().ok();
        let Some(applied) = up_to_date.or_else(|| plugin.configuration().now().applied().cloned()) else {
            return Ok(None);
        };
        let containers = match applied.ledger.open() {
            Ok(containers) => Some(containers.clone()),
            Err(NoLedger::Unneeded) => None,
            Err(_) => return Ok(None),
        };
        applied.selector.refresh();
        let own_pid = i32::try_from(std::process::id()).ok();
        let Some(own_process) = own_pid.and_then(process) else {
            return Ok(None);
        };
        let (mut registered, mut decided, mut decided_since) = (HashSet::new(), HashSet::new(), None);
        let mut starting = HashSet::new();
        if let Some(containers) = &containers {
            registered.extend(containers.ledger().tracked()?);
            starting.extend(containers.ledger().starting()?);
            decided.extend(containers.ledger().without()?);
            decided_since = Some(containers.ledger().decided_since(own_process)?);
        }
        let daemon = Daemon {
            process: own_process,
            boot: BootId::current()?,
            decided_since,
            action: applied.selector.config().missed,
            unsound: plugin.unsound(&applied),
        };
        Ok(Some(Ground {
            applied,
            containers,
            registered,
            starting,
            decided,
            daemon,
        }))
    }

    fn config(&self) -> &crate::config::Config {
        self.selector().config()
    }

    fn selector(&self) -> &Selector {
        &self.applied.selector
    }

    /// The process of the candidate's init. Without a ledger the daemon may not see the node's processes.
    fn init(&self, candidate: &Candidate, listed: &Listed) -> Option<ProcessId> {
        self.containers.as_ref()?;
        match i32::try_from(candidate.pid).ok()? {
            0 => init_in_group(&candidate.id),
            pid => process(pid).filter(|process| listed.is_of_its_time(*process)),
        }
    }

    fn entry(&self, id: &str) -> Entry {
        match (id.parse::<ContainerId>(), &self.containers) {
            (Ok(id), Some(containers)) if self.registered.contains(&id) => {
                match self.starting.contains(&id) && containers.lacks_runner(&id) {
                    true => Entry::NothingRan,
                    false => Entry::Registered,
                }
            }
            _ => Entry::None,
        }
    }

    fn was_decided(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id: ContainerId| self.decided.contains(&id))
    }

    /// The hooks that the active configuration gives the container.
    fn hooks(&self, candidate: &Candidate, pod: &PodFacts) -> Hooks {
        let deadline = Deadline::at(Instant::now() + SELECTION_TIMEOUT);
        let subject = candidate.subject(pod, self.config());
        match self.selector().choose(&subject, deadline) {
            Ok(selected) if selected.resolved.is_empty() => Hooks::None,
            Ok(_) => Hooks::Some,
            Err(error) => Hooks::Refused(error.to_string()),
        }
    }

    fn prune_decisions(&self, there: &HashSet<String>) {
        if let Some(containers) = &self.containers {
            let is_there = |id: &ContainerId| there.contains(id.as_str());
            if let Err(error) = containers.ledger().prune_without(CREATE_TIMEOUT, is_there) {
                tracing::warn!(%error, "cannot remove the records of containers that are gone");
            }
        }
    }
}
