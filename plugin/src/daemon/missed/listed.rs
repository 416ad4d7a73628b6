//! The part of a runtime's list of pods and containers that a decision about their hooks needs.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use containerd_nri::api::{Container, ContainerState, PodSandbox};
use serde::{Deserialize, Serialize};

use super::super::mark::is_marked;
use super::super::subject::is_bind_mount;
use crate::config::Config;
use crate::manifest::always_restarts;
use crate::model::ProcessId;
use crate::process::stat::ticks_now;
use crate::select::Subject;

/// The maximum length of an annotation that is stored before the needed ones are known, in bytes.
const MAX_UNKNOWN_ANNOTATION: usize = 1024;

/// The stored part of one Synchronize.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The pods by id.
    pub(super) pods: HashMap<String, PodFacts>,
    /// The containers that run or will run soon, and carry no mark of this plugin.
    pub(super) candidates: Vec<Candidate>,
    /// The ids of all containers.
    pub(super) ids: HashSet<String>,
    /// The time when it was received, in clock ticks since boot.
    received: Option<u64>,
    /// The number of comparisons so far.
    comparisons: u32,
    /// The time of the next comparison; at once if there is none.
    #[serde(skip)]
    due: Option<Instant>,
}

/// A pod.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PodFacts {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) runtime_handler: String,
    pub(super) annotations: HashMap<String, String>,
    /// Whether the kubelet certainly creates its containers again when they end.
    pub(super) always_restarts: bool,
}

/// A container that may lack its hooks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) pod: String,
    /// The process id of its init, as the runtime counts; 0 if it has none.
    pub(super) pid: u32,
    annotations: HashMap<String, String>,
    command: Option<String>,
    has_bind_mounts: bool,
}

/// The maximum number of comparisons of containers that have no init yet. The time in between doubles: one
/// minute in total.
const MAX_COMPARISONS: u32 = 6;

impl Listed {
    /// Whether a process can be an init of the list: the kernel may have used its number again since.
    pub(super) fn is_of_its_time(&self, process: ProcessId) -> bool {
        self.received.is_none_or(|received| process.started <= received)
    }

    /// Whether it is to be compared now.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_none_or(|due| Instant::now() >= due)
    }

    /// Whether it is the rest of a Synchronize that was compared before.
    pub(super) fn is_again(&self) -> bool {
        self.comparisons > 0
    }

    /// Whether the container is among the candidates.
    pub(super) fn has(&self, id: &str) -> bool {
        self.candidates.iter().any(|candidate| candidate.id == id)
    }

    /// Leaves out a container that is gone.
    pub(super) fn forget(&mut self, id: &str) {
        self.candidates.retain(|candidate| candidate.id != id);
    }

    /// The same without the pods that have no candidate.
    pub(super) fn of_candidates(mut self) -> Listed {
        let pods: HashSet<&String> = self.candidates.iter().map(|candidate| &candidate.pod).collect();
        self.pods.retain(|id, _| pods.contains(id));
        self
    }

    /// The rest with these containers, to be compared again later; `None` after the maximum number of
    /// comparisons.
    pub(super) fn again(&self, ids: &HashSet<String>) -> Option<Listed> {
        let mut rest = self.rest(ids).filter(|_| self.comparisons < MAX_COMPARISONS)?;
        rest.due = Some(Instant::now() + Duration::from_secs(1 << self.comparisons));
        Some(rest)
    }

    /// The rest with these containers, to be compared again; `None` without any.
    pub(super) fn rest(&self, ids: &HashSet<String>) -> Option<Listed> {
        let candidates = self.candidates.iter().filter(|it| ids.contains(&it.id));
        let candidates: Vec<Candidate> = candidates.cloned().collect();
        let of =
            |candidate: &Candidate| Some((candidate.pod.clone(), self.pods.get(&candidate.pod)?.clone()));
        (!candidates.is_empty()).then(|| Listed {
            pods: candidates.iter().filter_map(of).collect(),
            candidates,
            ids: self.ids.clone(),
            received: self.received,
            comparisons: self.comparisons + 1,
            due: None,
        })
    }

    /// Adds the pods and containers of one message. `config` decides which annotations matter; all short
    /// ones do if there is none yet.
    pub(super) fn add(&mut self, pods: &[PodSandbox], containers: &[Container], config: Option<&Config>) {
        self.received = ticks_now();
        let matters = |key: &str, value: &str| match config {
            // A condition may be about any annotation.
            Some(config) if !config.hooks_dirs.is_empty() => true,
            Some(config) => key.starts_with(config.annotation.key.as_str()),
            None => value.len() <= MAX_UNKNOWN_ANNOTATION,
        };
        let those_that_matter = |annotations: &HashMap<String, String>| {
            let matter = annotations.iter().filter(|(key, value)| matters(key, value));
            matter.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        for pod in pods {
            let facts = PodFacts {
                name: pod.name.clone(),
                namespace: pod.namespace.clone(),
                runtime_handler: pod.runtime_handler.clone(),
                annotations: those_that_matter(&pod.annotations),
                always_restarts: always_restarts(&pod.labels, &pod.annotations),
            };
            self.pods.insert(pod.id.clone(), facts);
        }
        self.ids
            .extend(containers.iter().map(|container| container.id.clone()));
        let candidates = containers
            .iter()
            .filter(|container| has_not_stopped(container) && !is_marked(container));
        self.candidates.extend(candidates.map(|container| Candidate {
            annotations: those_that_matter(&container.annotations),
            ..Candidate::new(container)
        }));
    }
}

fn has_not_stopped(container: &Container) -> bool {
    use ContainerState::{CONTAINER_CREATED, CONTAINER_PAUSED, CONTAINER_RUNNING};
    let state = container.state.enum_value();
    matches!(
        state,
        Ok(CONTAINER_CREATED | CONTAINER_PAUSED | CONTAINER_RUNNING)
    )
}

impl Candidate {
    fn new(container: &Container) -> Candidate {
        Candidate {
            id: container.id.clone(),
            name: container.name.clone(),
            pod: container.pod_sandbox_id.clone(),
            pid: container.pid,
            annotations: HashMap::new(),
            command: container.args.first().cloned(),
            has_bind_mounts: container.mounts.iter().any(is_bind_mount),
        }
    }

    /// The container as input of the selection, as it is when it is created.
    pub(super) fn subject<'s>(&'s self, pod: &'s PodFacts, config: &Config) -> Subject<'s> {
        Subject {
            namespace: &pod.namespace,
            annotations: &pod.annotations,
            container_annotations: &self.annotations,
            container: &self.name,
            command: self.command.as_deref(),
            has_bind_mounts: self.has_bind_mounts,
            delivery: config.delivery(&pod.runtime_handler),
        }
    }
}
