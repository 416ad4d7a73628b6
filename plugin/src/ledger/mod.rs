//! The hooks of each container and their results: a file and a directory per container, on disk. The daemon and
//! every runner read and write them.
//!
//! ```text
//! STATE_DIR/bell                   the notification socket, through which runners report the end of a stage
//! STATE_DIR/alive                  locked (shared) by every daemon that runs
//! STATE_DIR/entries/ID             the resolved hooks, written when the container is created
//! STATE_DIR/live/ID/STAGE          the record of a stage; the process that holds its lock has the claim
//! STATE_DIR/live/ID/entry          the resolved hooks, once the container's start is over
//! STATE_DIR/live/ID/init           the exit code of init, or that a daemon waits for its end
//! STATE_DIR/past/NANOSECONDS-ID/   the archived records of a removed container, and its entry; tags of names follow the
//!                                  nanoseconds
//! STATE_DIR/without/ID             empty: the daemon decided that the container gets no hooks
//! STATE_DIR/decided-since          the time since which the daemon notes that
//! STATE_DIR/ended/DIGEST           a note that the init of a container without hooks was ended
//! ```
//!
//! Every line of entries and records has a checksum (format 2). Format 1 had none; a container that was created
//! with format 1 stays in it.
//!
//! There is no other state, so if any process dies, the next one continues from here.
#![forbid(unsafe_code)]

mod archive;
mod checksum;
mod claim;
mod created;
mod directory;
mod entry;
mod error;
mod init;
mod notification;
mod output;
mod record;
mod stage_status;
mod store;
mod trigger;
mod without;

#[cfg(test)]
mod tests;

pub(crate) use archive::{ArchivedContainer, Pruner, Retention};
pub(crate) use claim::Claim;
pub use claim::Claimed;
pub use created::Created;
pub use directory::EntryDirectory;
pub use entry::Identity;
pub(crate) use entry::{BootId, Entry, Header};
pub(crate) use error::LedgerError;
pub(crate) use init::InitEnd;
pub(crate) use notification::Notification;
pub use output::Output;
pub use record::{HookEnd, HookRun, Line, Outcome, Record, StageResult};
pub(crate) use stage_status::StageStatus;
pub(crate) use store::Alive;
pub use store::Ledger;
pub use trigger::Trigger;
pub(crate) use without::DecidedSince;
