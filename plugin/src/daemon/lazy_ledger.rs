//! The ledger of the active configuration, opened by the first thread that needs it: its file system may not
//! answer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::lifecycle::{Containers, RunnerProgram};
use crate::config::Config;
use crate::ledger::{Ledger, LedgerError};
use crate::trust::access::{Access, NotAnswering, Use};
use crate::trust::{TrustError, TrustedDir, TrustedFile};

/// The maximum time for which an event waits for another thread that opens the ledger.
const OPENING_TIMEOUT: Duration = Duration::from_millis(300);

/// The interval at which it checks whether that is done.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The ledger, or the fact that there is none, once known. Only [`LazyLedger::open`] accesses a path.
#[derive(Debug)]
pub(super) struct LazyLedger {
    state_dir: Arc<str>,
    is_needed: bool,
    runner: RunnerProgram,
    /// The path of the state directory without links, once that is known.
    real_path: OnceLock<PathBuf>,
    opened: OnceLock<Opened>,
    /// The reason why the last attempt to open it failed.
    failure: Mutex<Option<Arc<LedgerError>>>,
    /// Held by the thread that opens it.
    opening: Mutex<()>,
}

/// The tracked containers; `None` if no ledger is needed and none is there.
type Opened = Option<Containers>;

/// The reason why the ledger cannot be used now.
#[derive(Debug, Clone, Error)]
pub(crate) enum NoLedger {
    /// Its file system does not answer.
    #[error("ledger: {0}")]
    NotAnswering(#[from] TrustError),
    /// Another thread opens it at this moment.
    #[error("the ledger is still being opened; try again in a moment")]
    BeingOpened,
    /// It cannot be opened, for now.
    #[error("{0}")]
    Failed(Arc<LedgerError>),
    /// No ledger is needed, and none is there.
    #[error("there is no ledger")]
    Unneeded,
}

impl LazyLedger {
    /// The ledger that `config` names, not opened yet; `runner` is run as the runner.
    pub(super) fn new(config: &Config, runner: &RunnerProgram) -> LazyLedger {
        LazyLedger {
            state_dir: config.state_dir.clone(),
            is_needed: config.needs_ledger(),
            runner: runner.clone(),
            real_path: OnceLock::new(),
            opened: OnceLock::new(),
            failure: Mutex::default(),
            opening: Mutex::new(()),
        }
    }

    /// The opened ledger; `None` as long as it could not be opened.
    pub(super) fn opened(&self) -> Option<&Opened> {
        self.opened.get()
    }

    /// The reason why the last attempt to open it failed, if it did.
    pub(super) fn failure(&self) -> Option<NoLedger> {
        self.lock_failure().clone().map(NoLedger::Failed)
    }

    /// Opens it, unless it is open. Creates it if it is needed and missing.
    ///
    /// # Errors
    /// Its file system does not answer, another thread waits for that, it cannot be opened, or there is
    /// none.
    pub(super) fn open(&self) -> Result<&Containers, NoLedger> {
        let opened = match self.opened.get() {
            Some(opened) => opened,
            None => self.open_first()?,
        };
        opened.as_ref().ok_or(NoLedger::Unneeded)
    }

    /// Begins an access to it.
    ///
    /// # Errors
    /// Its file system does not answer.
    pub(super) fn access(&self) -> Result<Access, TrustError> {
        let path = self.real_path.get().map_or(Path::new(&*self.state_dir), |it| it);
        Use::Write.begin(path).map_err(|hangs| not_answering(path, hangs))
    }

    fn open_first(&self) -> Result<&Opened, NoLedger> {
        let _opening = self.begin_opening()?;
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let state_dir = Path::new(&*self.state_dir);
        let found = TrustedDir::at(state_dir);
        // A missing directory is created on the file system of its path.
        let real_path = found.map_or_else(|_| state_dir.to_owned(), |found| found.real_path().to_owned());
        let _access = Use::Write
            .begin(&real_path)
            .map_err(|hangs| not_answering(&real_path, hangs))?;
        let _ = self.real_path.set(real_path);
        let is_needed = self.is_needed || has_containers(state_dir);
        let opened = match is_needed {
            true => Some(containers(state_dir, &self.runner).map_err(|error| self.failed(error))?),
            false => None,
        };
        *self.lock_failure() = None;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Waits a little for another thread that opens it.
    fn begin_opening(&self) -> Result<MutexGuard<'_, ()>, NoLedger> {
        let deadline = Instant::now() + OPENING_TIMEOUT;
        loop {
            match self.opening.try_lock() {
                Ok(opening) => return Ok(opening),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => drop(self.access()?),
            }
            if Instant::now() >= deadline {
                return Err(NoLedger::BeingOpened);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The next caller tries again: a full disk, or a directory with a wrong owner, can be fixed.
    fn failed(&self, error: LedgerError) -> NoLedger {
        let error = Arc::new(error);
        let before = self.lock_failure().replace(error.clone());
        if before.is_none_or(|before| before.to_string() != error.to_string()) {
            tracing::error!(%error, "only delivery direct can run hooks until the ledger opens");
        }
        NoLedger::Failed(error)
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<Arc<LedgerError>>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_answering(path: &Path, hangs: NotAnswering) -> TrustError {
    let (component, fault) = (path.to_owned(), hangs.into());
    TrustError { component, fault }
}

/// Whether a ledger from before, with another delivery, still has containers: their pending hooks are run
/// whatever the configuration is now.
fn has_containers(state_dir: &Path) -> bool {
    let tracked = Ledger::open(state_dir).and_then(|ledger| ledger.tracked());
    tracked.is_ok_and(|containers| !containers.is_empty())
}

fn containers(state_dir: &Path, runner: &RunnerProgram) -> Result<Containers, LedgerError> {
    // A warning only: a user who could replace the program could have replaced this daemon before it
    // started.
    if let Err(error) = TrustedFile::to_execute(runner.path()) {
        let help = error.help();
        tracing::warn!(%error, %help, "users other than root could replace the program that runs hooks");
    }
    Containers::new(state_dir, runner.clone())
}
