//! The versions of images that the containers of the node need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigSource};
use crate::ledger::{Ledger, LedgerError};
use crate::model::Stage;
use crate::select::version_directory;
use crate::trust::Fault;

/// The versions of images that the containers of the node need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needs {
    /// All versions, because the needed ones cannot be known now.
    All,
    /// These directories of versions, by the ledger. Containers of `direct` delivery are not in the ledger,
    /// and use the hooks by their links: `links` is whether there may be such containers.
    Versions {
        /// The directories.
        versions: BTreeSet<PathBuf>,
        /// Whether the links of images that the pod no longer has are needed.
        links: bool,
    },
}

impl Needs {
    /// The needed versions by the current configuration and ledger. Blocks.
    pub(crate) fn now(config: &ConfigSource) -> Needs {
        let Ok(config) = Config::from_file(config.path(), config.overrides()) else {
            return Needs::All;
        };
        let links = config.delivers_directly();
        let versions = match config.needs_ledger() {
            true => of_ledger(Path::new(&*config.state_dir)),
            false => Ok(BTreeSet::new()),
        };
        match versions {
            Ok(versions) => Needs::Versions { versions, links },
            Err(error) => {
                tracing::warn!(%error, "no version of a hook image is removed, because the ledger cannot be read");
                Needs::All
            }
        }
    }
}

fn of_ledger(state_dir: &Path) -> Result<BTreeSet<PathBuf>, LedgerError> {
    let ledger = match Ledger::open(state_dir) {
        // No container has been tracked yet.
        Err(LedgerError::Untrusted { fault }) if fault.fault == Fault::NotFound => return Ok(BTreeSet::new()),
        opened => opened?,
    };
    let mut versions = BTreeSet::new();
    for id in ledger.tracked()? {
        let Some(directory) = ledger.find(&id)? else {
            continue;
        };
        for stage in Stage::ALL {
            let hooks = match directory.hooks(stage) {
                // No runner executes them.
                Err(error) if error.is_damaged() => continue,
                hooks => hooks?,
            };
            let directories = hooks
                .iter()
                .filter_map(|hook| version_directory(Path::new(hook.program())));
            versions.extend(directories.map(Path::to_owned));
        }
    }
    Ok(versions)
}
