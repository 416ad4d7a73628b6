//! What each container is owed and what it got: a file and a directory per container, on disk, read and
//! written by the daemon and by every runner.
//!
//! ```text
//! STATE_DIR/bell                   the socket by which runners tell that a stage is over
//! STATE_DIR/alive                  locked (shared) by every daemon that runs
//! STATE_DIR/entries/ID             the resolved hooks, written when the container is created
//! STATE_DIR/live/ID/STAGE          the record of a stage; whoever holds its lock has the claim
//! STATE_DIR/live/ID/entry          the resolved hooks, once the container's start is over
//! STATE_DIR/past/NANOSECONDS-ID/   the records of a container that was removed, and its entry; tags of names follow the
//!                                  nanoseconds
//! STATE_DIR/without/ID             empty: the daemon decided that the container gets no hooks
//! STATE_DIR/decided-since          since when the daemon notes that
//! STATE_DIR/missed                 which containers lack the hooks that they should have, as last found
//! STATE_DIR/ended/DIGEST           that the init of a container without hooks was ended
//! ```
//!
//! Every line of entries and records carries a checksum (format 2). Format 1 had none; a container that
//! was created by a release that wrote it keeps it.
//!
//! Nothing is remembered elsewhere, so whichever process dies, the next one goes on from here.
#![forbid(unsafe_code)]

mod archive;
mod checksum;
mod claim;
mod created;
mod directory;
mod entry;
mod error;
mod notification;
mod output;
mod record;
mod stage_status;
mod store;
mod trigger;
mod without;

#[cfg(test)]
mod tests;

pub use archive::{Archivist, Kept, Past};
pub use claim::{Claim, Claimed};
pub use created::Created;
pub use directory::EntryDirectory;
pub use entry::{BootId, Entry, Header, Identity};
pub use error::LedgerError;
pub use notification::Notification;
pub use output::Output;
pub use record::{HookEnd, HookRun, Line, Outcome, Record, StageResult};
pub use stage_status::StageStatus;
pub use store::{Alive, Ledger};
pub use trigger::Trigger;
pub use without::DecidedSince;
