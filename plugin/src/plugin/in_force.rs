//! What is made of one configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::life::{Containers, RunnerProgram};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Rule};
use crate::ledger::Ledger;
use crate::select::Selector;
use crate::trust::access::{Access, NotAnswering, Use};
use crate::trust::{TrustError, TrustedDir, TrustedFile};

/// What is made of the configuration in force.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) selector: Selector,
    /// Why there is no ledger, if there is none.
    pub(super) containers: Result<Containers, String>,
    /// Where the ledger is or would be, without links.
    pub(super) real_state_dir: PathBuf,
}

impl InForce {
    /// Makes the ledger, if one is needed, and reads the files that count without being picked.
    ///
    /// Fails if the ledger's file system does not answer.
    pub(super) fn new(config: Config, runner: &RunnerProgram) -> Result<InForce, Vec<Diagnostic>> {
        let state_dir = Path::new(&*config.state_dir);
        let mut real_state_dir = real_path(state_dir);
        let access = Use::Write.begin(&real_state_dir).map_err(|hangs| {
            let error = not_answering(&real_state_dir, hangs);
            error.mistake_of(&config.state_dir)
        })?;
        let is_needed = config.needs_ledger() || has_containers(state_dir);
        let containers = match is_needed {
            true => containers(state_dir, runner)
                .inspect_err(|error| tracing::error!(%error, "no hooks but direct ones can be delivered")),
            false => Err("there is no ledger".into()),
        };
        drop(access);
        if containers.is_ok() {
            // It was made only now, perhaps.
            real_state_dir = real_path(state_dir);
        }
        Ok(InForce {
            selector: Selector::new(config),
            containers,
            real_state_dir,
        })
    }

    /// Begins an access to the ledger.
    ///
    /// Fails if its file system does not answer.
    pub(super) fn access_ledger(&self) -> Result<Access, TrustError> {
        let state_dir = &self.real_state_dir;
        Use::Write
            .begin(state_dir)
            .map_err(|hangs| not_answering(state_dir, hangs))
    }

    /// What is made of another configuration, read from `source`, in place of this one; see
    /// [`Selector::succeed`].
    ///
    /// Fails with every mistake, and if it needs another ledger, or events of the runtime that are
    /// subscribed to only at the start.
    pub(super) fn succeed(&self, source: &Arc<str>, config: Config) -> Result<InForce, Vec<Diagnostic>> {
        let fixed = |field: &str, message: &str| {
            let help = "restart the daemon for it";
            vec![Diagnostic::of_file(source, Rule::InvalidValue, message, help).in_field(field)]
        };
        if config.state_dir != self.selector.config().state_dir {
            return Err(fixed("state_dir", "cannot change while the daemon runs"));
        }
        if config.listen != self.selector.config().listen {
            return Err(fixed("listen", "cannot change while the daemon runs"));
        }
        if config.needs_ledger() && self.containers.is_err() {
            let message = "needs the ledger, but the daemon runs without one";
            return Err(fixed("delivery", message));
        }
        if config.needs_all_events() && !self.selector.config().needs_all_events() {
            let message = "needs events that the daemon has not asked the runtime for";
            return Err(fixed("delivery", message));
        }
        Ok(InForce {
            selector: self.selector.succeed(config)?,
            containers: self.containers.clone(),
            real_state_dir: self.real_state_dir.clone(),
        })
    }
}

/// The path of `folder` without links; as it is if it is not there.
fn real_path(folder: &Path) -> PathBuf {
    TrustedDir::at(folder).map_or_else(|_| folder.to_owned(), |found| found.real_path().to_owned())
}

fn not_answering(path: &Path, hangs: NotAnswering) -> TrustError {
    let (component, fault) = (path.to_owned(), hangs.into());
    TrustError { component, fault }
}

/// Whether a ledger from before, with another delivery, still has containers: what is owed to them
/// is paid whatever the configuration says now.
fn has_containers(state_dir: &Path) -> bool {
    let live = Ledger::open(state_dir).and_then(|ledger| ledger.live());
    live.is_ok_and(|containers| !containers.is_empty())
}

fn containers(state_dir: &Path, runner: &RunnerProgram) -> Result<Containers, String> {
    // Told and no more: whoever could replace it could have replaced this daemon before it started.
    if let Err(error) = TrustedFile::to_execute(runner.path()) {
        let help = error.help();
        tracing::warn!(%error, %help, "others than root could replace the program that runs hooks");
    }
    Containers::new(state_dir, runner.clone()).map_err(|error| error.to_string())
}
