//! The containers in the ledger, and what each event needs to act on one.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use containerd_nri::api::{Container, PodSandbox};
use tokio::sync::Notify;
use tracing::Span;

use super::bundle;
use super::runners::{RunnerProgram, Running, start};
use crate::ledger::{
    Alive, ContainerId, Created, EntryFolder, Header, Identity, Keeper, Kept, Ledger, LedgerError, Trigger,
};
use crate::runner::{Call, Init, State, process};
use crate::select::Frozen;
use crate::spec::Stage;

/// What a handler keeps of its time for its own answer.
const MARGIN: Duration = Duration::from_millis(50);

/// The containers in the ledger. Runners know by it that a daemon is alive.
#[derive(Debug, Clone)]
pub(in crate::plugin) struct Containers {
    ledger: Ledger,
    program: RunnerProgram,
    rung: Arc<Notify>,
    past: Arc<Mutex<Keeper>>,
    _alive: Arc<Alive>,
}

/// A container that is in the ledger.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) id: ContainerId,
    pub(super) folder: EntryFolder,
    pub(super) header: Header,
}

impl Containers {
    /// The containers in the ledger at `state_dir`, which is made if it is not there; `program` is
    /// run as the runner.
    pub(in crate::plugin) fn new(
        state_dir: &Path,
        program: RunnerProgram,
    ) -> Result<Containers, LedgerError> {
        let ledger = Ledger::create(state_dir)?;
        let alive = Arc::new(ledger.alive()?);
        Ok(Containers {
            past: Arc::new(Mutex::new(ledger.keeper(Kept::default()))),
            ledger,
            program,
            rung: Arc::default(),
            _alive: alive,
        })
    }

    /// What is run as the runner.
    pub(in crate::plugin) fn program(&self) -> &Path {
        self.program.path()
    }

    /// Where the ledger is.
    pub(in crate::plugin) fn state_dir(&self) -> &Path {
        self.ledger.root()
    }

    /// The ledger.
    pub(in crate::plugin) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Tells those who wait that a runner has rung.
    pub(in crate::plugin) fn ring(&self) {
        self.rung.notify_waiters();
    }

    /// That a runner rings from now on.
    pub(super) fn rung(&self) -> impl Future<Output = ()> {
        self.rung.clone().notified_owned()
    }

    /// Enters a container that is being created; `injected` if the OCI runtime will start runners.
    pub(in crate::plugin) fn enter(
        &self,
        pod: &PodSandbox,
        container: &Container,
        frozen: &Frozen,
        injected: bool,
    ) -> Result<(), EnterError> {
        let identity = Identity {
            id: container.id.parse().map_err(EnterError::Id)?,
            container: container.name.clone(),
            pod: pod.name.clone(),
            namespace: pod.namespace.clone(),
            uid: pod.uid.clone(),
        };
        Ok(self.ledger.add(identity, frozen, injected)?)
    }

    /// The container with this id; `None` if it got no hooks.
    pub(super) fn find(&self, id: &str) -> Result<Option<Entered>, LedgerError> {
        // One with another id was never entered.
        let Ok(id) = id.parse() else { return Ok(None) };
        let Some(folder) = self.ledger.find(&id)? else {
            return Ok(None);
        };
        let header = folder.header()?;
        Ok(Some(Entered { id, folder, header }))
    }

    /// Starts a runner, unless nothing is left to do for it.
    pub(super) fn start(&self, entered: &Entered, stage: Stage, by: Trigger) -> io::Result<Running> {
        let created = entered.folder.created().ok().flatten().unwrap_or_default();
        let status = match stage {
            Stage::Prestart => "created",
            Stage::Poststart => "running",
            _ => "stopped",
        };
        let call = Call {
            stage,
            state_dir: self.ledger.root().into(),
            trigger: by,
            enter_host: self.program.enters_host(),
        };
        let state = State::new(entered.id.clone(), status, &created);
        start(self.program.path(), &call, &state)
    }

    /// Takes a removed container out of the ledger; its records are kept for a while.
    pub(super) fn archive(&self, id: &ContainerId) {
        let archived = self.ledger.archive(id).and_then(|()| {
            // What a panic leaves behind is at worst a size that is looked at again.
            let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
            past.keep()
        });
        if let Err(error) = archived {
            tracing::warn!(%error, "cannot put the container's records aside");
        }
    }
}

impl Entered {
    /// What log lines about it carry that are written behind an event, or outside of one.
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

    /// Whether a stage is still owed.
    pub(super) fn owes(&self, stage: Stage) -> Result<bool, LedgerError> {
        Ok(!self.folder.is_settled(stage, self.header.count(stage))?)
    }

    /// What is known of its creation by the OCI runtime; noted now if it has a process and nobody
    /// has noted it. `has_started`: what its process 1 executes now may be its own program.
    pub(super) fn created(
        &self,
        container: &Container,
        has_started: bool,
    ) -> Result<Option<Created>, LedgerError> {
        let noted = self.folder.created()?;
        if noted.is_some() {
            return Ok(noted);
        }
        let pid = i32::try_from(container.pid).ok().filter(|pid| *pid > 0);
        let Some(process) = pid.and_then(process) else {
            return Ok(None);
        };
        let mut created = Created {
            process: Some(process),
            bundle: bundle::find(Init::new(process), &self.id),
            annotations: container.annotations.clone().into_iter().collect(),
            ..Created::default()
        };
        if !has_started {
            created.program = Init::of(&created).and_then(Init::program);
        }
        // Whichever of its stages comes first.
        if let Some(stage) = self.header.hooks.keys().next() {
            self.folder.note_created(*stage, &created)?;
        }
        Ok(Some(created))
    }
}

/// Why a container cannot be entered.
#[derive(Debug, thiserror::Error)]
pub(in crate::plugin) enum EnterError {
    #[error(transparent)]
    Id(crate::ledger::NotAnId),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How long an event that must be answered in `remaining` may wait for a runner.
pub(super) fn budget(remaining: Duration) -> Duration {
    remaining.saturating_sub(MARGIN)
}

/// Says what went wrong where the event's answer cannot.
pub(super) fn warn(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "hooks");
}
