//! The errors of the ledger.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::{PathError, escaped_path, prose};
use crate::trust::TrustError;
use crate::trust::access::{Access, Use};

/// The ledger, or the files of one container, cannot be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The kernel refused.
    #[error("ledger: {0}")]
    Io(PathError),
    /// Another file is in the place of a container's directory or file.
    #[error("ledger: {} does not belong to the ledger and is ignored; remove it", escaped_path(.path))]
    Stray {
        /// The path of that file.
        path: PathBuf,
    },
    /// The content of a file is invalid: a crash cut it off, or it was changed.
    #[error(
        "ledger: {} is damaged ({reason}), so no more of its hooks run; \
         delete the container's pod, so that it is created again",
        escaped_path(.path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A later release has written the file.
    #[error(
        "ledger: {} has format {found}, but this release reads formats up to {known}; \
         run the release that wrote it, or a later one",
        escaped_path(.path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format of this release.
        known: u32,
    },
    /// A user other than root could have written to the ledger.
    #[error("ledger: {fault}; {}", .fault.help())]
    Untrusted {
        /// The fault of the directory.
        fault: TrustError,
    },
}

/// The damage to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Damage {
    /// Data was never written: the power failed.
    #[error("part of it is lost")]
    PartLost,
    /// The last line, which is complete but for its line feed.
    #[error("its last line was changed")]
    LastLineChanged,
    /// A line was changed.
    #[error("its line {line} does not match its checksum")]
    WrongChecksum {
        /// The number of the line, from 1.
        line: usize,
    },
}

impl LedgerError {
    /// Whether a file is damaged: then it is never read again.
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

    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> LedgerError {
        let failed = PathError::io(action, path);
        |error| LedgerError::Io(failed(error))
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, reason: impl ToString) -> LedgerError {
        LedgerError::Damaged {
            path: path.into(),
            // The reason may quote the file.
            reason: prose(&reason.to_string()),
        }
    }
}
