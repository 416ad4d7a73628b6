//! The containers in the ledger, and the operations on one that each event needs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_nri::api::{Container, PodSandbox};
use tracing::{Instrument, Span};

use super::bundle;
use super::creating::{Creating, Creation};
use super::end::Watched;
use super::handlers::Handlers;
use super::own_thread::OwnThread;
use super::runners::{RunnerProgram, Running, start};
use crate::ledger::{
    Alive, Created, EntryDirectory, Header, Identity, Ledger, LedgerError, Pruner, Retention, Trigger,
};
use crate::model::{ContainerId, ResolvedHooks, Stage};
use crate::process::{Init, process};
use crate::runner::{Call, State};

/// The maximum size of a pod's annotations for its hooks, in bytes: the limit of Kubernetes.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The part of its time that a handler reserves for its own answer.
const MARGIN: Duration = Duration::from_millis(50);

/// The containers in the ledger. All work on them after their creation is done on a thread of its own: the
/// ledger's file system may be slow, and the thread that speaks NRI must not wait.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Containers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    program: RunnerProgram,
    archive: Mutex<Pruner>,
    thread: OwnThread,
    creating: Creating,
    /// The inits whose end starts poststop.
    watched: Watched,
    handlers: Handlers,
    /// The containers whose poststop was started and could not be recorded: only this says that they were
    /// created.
    unrecorded: Mutex<BTreeSet<ContainerId>>,
    /// Whether the runtime deletes a container when it ends.
    deletes_at_end: AtomicBool,
    _alive: Alive,
}

/// A container that is in the ledger.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) id: ContainerId,
    pub(super) files: EntryDirectory,
    pub(super) header: Header,
}

impl Containers {
    /// The containers in the ledger at `state_dir`, which is created if it is missing; `program` is run as
    /// the runner.
    ///
    /// # Errors
    /// The ledger cannot be used, or the kernel refuses another thread.
    pub(in crate::daemon) fn new(
        state_dir: &Path,
        program: RunnerProgram,
    ) -> Result<Containers, LedgerError> {
        let ledger = Ledger::create(state_dir)?;
        let alive = ledger.alive()?;
        let thread = OwnThread::new().map_err(LedgerError::io("start a thread for", state_dir))?;
        Ok(Containers(Arc::new(Shared {
            archive: Mutex::new(ledger.pruner(Retention::default())),
            ledger,
            program,
            thread,
            creating: Creating::default(),
            watched: Watched::default(),
            handlers: Handlers::default(),
            unrecorded: Mutex::default(),
            deletes_at_end: AtomicBool::new(true),
            _alive: alive,
        })))
    }

    /// The path of the program that is run as the runner.
    pub(in crate::daemon) fn program(&self) -> &Path {
        self.0.program.path()
    }

    /// The directory of the ledger.
    pub(in crate::daemon) fn state_dir(&self) -> &Path {
        self.0.ledger.root()
    }

    /// The ledger.
    pub(in crate::daemon) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// From now on events come from this `runtime`.
    ///
    /// containerd deletes a container at its end, and waits for the OCI poststop hooks of the deletion.
    /// Other runtimes delete it when it is removed.
    pub(in crate::daemon) fn serve(&self, runtime: &str) {
        let deletes_at_end = runtime == "containerd";
        self.0.deletes_at_end.store(deletes_at_end, Ordering::Relaxed);
    }

    /// Whether the OCI runtime starts the poststop runners of injected containers at their end.
    pub(in crate::daemon) fn deletes_at_end(&self) -> bool {
        self.0.deletes_at_end.load(Ordering::Relaxed)
    }

    /// The runtime handlers that run no OCI hooks.
    pub(in crate::daemon) fn unhooked_handlers(&self) -> Vec<String> {
        self.0.handlers.unhooked()
    }

    pub(super) fn handlers(&self) -> &Handlers {
        &self.0.handlers
    }

    pub(super) fn unrecorded(&self) -> MutexGuard<'_, BTreeSet<ContainerId>> {
        self.0.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watched(&self) -> &Watched {
        &self.0.watched
    }

    /// Does `work` on the thread of the containers; it continues there if the caller stops waiting.
    pub(super) async fn on_own_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.0.thread.spawn(work.in_current_span()).await {
            Ok(done) => done,
            // It panicked, or the daemon ends: the event is answered at its deadline.
            Err(_) => pending().await,
        }
    }

    /// The same, without a caller that waits.
    pub(super) fn behind(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.thread.spawn(work.in_current_span()));
    }

    /// Marks the beginning of this container's creation.
    pub(in crate::daemon) fn creation(&self, container: &Container) -> Creation {
        self.0.creating.begin(&container.id)
    }

    /// Whether this container, which is removed, is still being created: then its creation undoes itself.
    pub(super) fn is_being_created(&self, container: &Container) -> bool {
        self.0.creating.remove(&container.id)
    }

    /// Registers a container that is being created; `injected` if the OCI runtime will start runners.
    /// Returns whether it is new. The registration by a daemon that died before its answer stays unchanged.
    pub(in crate::daemon) fn register(
        &self,
        pod: &PodSandbox,
        container: &Container,
        resolved: &ResolvedHooks,
        injected: bool,
    ) -> Result<bool, RegisterError> {
        let identity = Identity {
            id: container.id.parse().map_err(RegisterError::Id)?,
            container: container.name.clone(),
            pod: pod.name.clone(),
            namespace: pod.namespace.clone(),
            uid: pod.uid.clone(),
        };
        let annotations = bounded(&pod.annotations);
        Ok(self
            .0
            .ledger
            .add_with(identity, &annotations, resolved, injected)?)
    }

    /// The hooks that a container is registered with, and whether the OCI runtime starts runners; `None` if
    /// it is not registered.
    pub(in crate::daemon) fn registered(
        &self,
        id: &str,
    ) -> Result<Option<(ResolvedHooks, bool)>, LedgerError> {
        let registered = self.find(id)?;
        registered
            .map(|registered| Ok((registered.files.all_hooks()?, registered.header.injected)))
            .transpose()
    }

    /// The container with this id; `None` if it got no hooks.
    pub(super) fn find(&self, id: &str) -> Result<Option<Registered>, LedgerError> {
        // A container with an invalid id was never registered.
        let Ok(id) = id.parse() else { return Ok(None) };
        let Some(files) = self.0.ledger.find(&id)? else {
            return Ok(None);
        };
        let header = files.header()?;
        Ok(Some(Registered { id, files, header }))
    }

    /// Starts a runner for a container; `created` are the known facts of its creation.
    pub(super) fn start(
        &self,
        registered: &Registered,
        stage: Stage,
        by: Trigger,
        created: &Created,
    ) -> io::Result<Running> {
        let status = match stage {
            Stage::Prestart => "created",
            Stage::Poststart => "running",
            _ => "stopped",
        };
        let call = Call {
            stage,
            state_dir: self.0.ledger.root().into(),
            trigger: by,
            enter_host: self.0.program.enters_host(),
        };
        let state = State::new(registered.id.clone(), status, created);
        start(self.0.program.path(), &call, &state)
    }

    /// Starts a runner of poststop, which also resolves the stages before it.
    pub(super) fn start_poststop(&self, registered: &Registered, by: Trigger) -> io::Result<Running> {
        let created = registered.files.created().ok().flatten().unwrap_or_default();
        self.start(registered, Stage::Poststop, by, &created)
    }

    /// Removes a container that goes without its hooks from the ledger.
    pub(in crate::daemon) fn forget(&self, container: &Container) {
        if let Ok(id) = container.id.parse() {
            self.archive(&id);
        }
    }

    /// Notes the decision that this container gets no hooks. Returns at once.
    pub(in crate::daemon) fn note_without(&self, id: ContainerId) {
        let containers = self.clone();
        self.behind(async move {
            if let Err(error) = containers.ledger().note_without(&id) {
                warn(&error);
            }
        });
    }

    /// Whether a running container has started no runner, though its OCI runtime should have.
    pub(in crate::daemon) fn lacks_runner(&self, id: &ContainerId) -> bool {
        let Ok(Some(registered)) = self.find(id.as_str()) else {
            return false;
        };
        self.starts_early(&registered) && matches!(registered.files.created(), Ok(None))
    }

    /// Archives the records of a removed container, for the time of the retention.
    pub(super) fn archive(&self, id: &ContainerId) {
        let archived = self.0.ledger.archive(id).and_then(|()| {
            // After a panic the value is at worst a size that is measured again.
            let mut archive = self.0.archive.lock().unwrap_or_else(PoisonError::into_inner);
            archive.prune()
        });
        if let Err(error) = archived {
            tracing::warn!(%error, "cannot archive the container's records");
        }
    }
}

/// The pod's annotations in order, up to the size limit of Kubernetes; the rest is left out.
fn bounded(annotations: &HashMap<String, String>) -> BTreeMap<&str, &str> {
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let mut sorted: BTreeMap<&str, &str> = annotations
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let mut excess = size.saturating_sub(MAX_ANNOTATIONS);
    while excess > 0
        && let Some((key, value)) = sorted.pop_last()
    {
        excess = excess.saturating_sub(key.len() + value.len());
    }
    sorted
}

impl Registered {
    /// The span for log lines about it that are written in the background of an event, or outside of one.
    pub(super) fn span(&self) -> Span {
        let Identity {
            id,
            container,
            pod,
            namespace,
            ..
        } = &self.header.identity;
        let id = id.as_str();
        tracing::error_span!("container", namespace, pod, container, id)
    }

    /// Whether a stage has hooks and is not over.
    pub(super) fn is_pending(&self, stage: Stage) -> Result<bool, LedgerError> {
        Ok(!self.files.is_complete(stage, self.header.count(stage))?)
    }

    /// The facts of its creation in the runtime's message. `has_started`: its init may execute the
    /// container's own program by now.
    pub(super) fn seen(&self, container: &Container, has_started: bool) -> Created {
        let pid = i32::try_from(container.pid).ok().filter(|pid| *pid > 0);
        let process = pid.and_then(process);
        let mut created = Created {
            process,
            bundle: process.and_then(|process| bundle::find(Init::new(process), &self.id)),
            annotations: container.annotations.clone().into_iter().collect(),
            ..Created::default()
        };
        if !has_started {
            created.program = Init::of(&created).and_then(Init::program);
        }
        created
    }

    /// The known facts of its creation by the OCI runtime; noted now if it has a process and they are not
    /// noted.
    pub(super) fn created(
        &self,
        container: &Container,
        has_started: bool,
    ) -> Result<Option<Created>, LedgerError> {
        let noted = self.files.created()?;
        if noted.is_some() {
            return Ok(noted);
        }
        let created = self.seen(container, has_started);
        if created.process.is_none() {
            return Ok(None);
        }
        // The first of its runners notes them; createRuntime has no runner of its own.
        let stages = self.header.hooks.keys();
        let first = stages.map(|stage| {
            if Stage::BEFORE_START.contains(stage) {
                Stage::Prestart
            } else {
                *stage
            }
        });
        if let Some(stage) = first.min() {
            self.files.note_created(stage, &created)?;
        }
        Ok(Some(created))
    }
}

/// The reason why a container cannot be registered.
#[derive(Debug, thiserror::Error)]
pub(in crate::daemon) enum RegisterError {
    #[error(transparent)]
    Id(crate::model::NotAnId),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The maximum time for which an event that must be answered in `remaining` may wait for a runner.
pub(super) fn budget(remaining: Duration) -> Duration {
    remaining.saturating_sub(MARGIN)
}

/// Why a stage could not be run in an event.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) enum StageError {
    /// Its records cannot be read or written.
    Ledger(#[from] LedgerError),
    /// Its runner cannot be started.
    Start(#[from] io::Error),
}

/// Logs an error that the event's answer cannot carry.
pub(super) fn warn(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "cannot run or record its hooks");
}
