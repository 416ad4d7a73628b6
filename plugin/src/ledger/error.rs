//! What can go wrong with the ledger.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::{prose, shown_path};
use crate::trust::TrustError;
use crate::trust::access::{Access, Use};

/// The ledger cannot be used, or what it says of one container cannot.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The kernel refused.
    #[error("ledger: cannot {action} {}: {source}", shown_path(.path))]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Something else stands where a container's directory or file belongs.
    #[error("ledger: {} is not ours and is passed over; remove it", shown_path(.path))]
    Stray {
        /// What stands there.
        path: PathBuf,
    },
    /// A file does not hold what its writer puts there: it was cut off by a crash, or changed.
    #[error(
        "ledger: {} is damaged ({reason}), so no more hooks are run by it; \
         delete the container's pod, so that it is made anew",
        shown_path(.path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was written by a release that we do not know.
    #[error(
        "ledger: {} has format {found}, but this release reads formats up to {known}; \
         run the release that wrote it, or a later one",
        shown_path(.path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest that we know.
        known: u32,
    },
    /// Somebody other than root could have written to the ledger.
    #[error("ledger: {fault}; {}", .fault.help())]
    Untrusted {
        /// What is wrong with which directory.
        fault: TrustError,
    },
}

impl LedgerError {
    /// Whether a file is damaged: it will never be read again.
    pub fn is_damaged(&self) -> bool {
        matches!(self, LedgerError::Damaged { .. })
    }

    /// Begins an access to `path`.
    ///
    /// Fails if its file system does not answer.
    pub(super) fn begin(is_for: Use, path: &Path) -> Result<Access, LedgerError> {
        is_for.begin(path).map_err(|hangs| {
            let (component, fault) = (path.to_owned(), hangs.into());
            LedgerError::Untrusted {
                fault: TrustError { component, fault },
            }
        })
    }

    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> LedgerError {
        let path = path.into();
        move |source| LedgerError::Io { action, path, source }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, reason: impl ToString) -> LedgerError {
        LedgerError::Damaged {
            path: path.into(),
            // It may quote the file.
            reason: prose(&reason.to_string()),
        }
    }
}
