//! The end of inits: where no OCI runtime starts poststop at that moment, the daemon does.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::containers::{Containers, Registered, warn};
use crate::ledger::{Created, Trigger};
use crate::model::{ContainerId, Stage};
use crate::process::Init;
use crate::system::{self, knows_exit_codes};

/// How long the parent of an init may take to ask with what that ended.
const PARENT_LIMIT: Duration = Duration::from_millis(200);

/// How often it is looked whether it has.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The containers whose init is watched.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashSet<(ContainerId, Init)>>);

/// What is to be done when an init ends.
#[derive(Debug, Clone, Copy)]
enum Duty {
    /// Starting poststop; an event waits for it.
    Poststop,
    /// Running what is pending and archiving the records: no event will come.
    Resolve,
    /// Nothing: the OCI runtime starts poststop, and is told the exit code.
    Note,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashSet<(ContainerId, Init)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers {
    /// Notes with what `init` ends, for poststop, and runs that unless the OCI runtime does so itself. To be called on
    /// the thread of the containers.
    pub(super) fn watch(&self, registered: &Registered, init: Option<Init>) {
        let Some(init) = init else { return };
        let deletes = registered.header.injected && self.deletes_at_end();
        if !deletes {
            self.watch_for(registered, init, Duty::Poststop);
        } else if notes_exit(registered) {
            self.watch_for(registered, init, Duty::Note);
        }
    }

    /// As soon as `init` ends, runs what is pending of its container, which the runtime does not list, and archives
    /// its records. To be called on the thread of the containers.
    pub(super) fn watch_lost(&self, registered: &Registered, init: Init) {
        self.watch_for(registered, init, Duty::Resolve);
    }

    fn watch_for(&self, registered: &Registered, init: Init, duty: Duty) {
        let key = (registered.id.clone(), init);
        if !self.watched().lock().insert(key.clone()) {
            return;
        }
        let containers = self.clone();
        let notes_exit = notes_exit(registered);
        let at_end = async move {
            let ended = match notes_exit {
                true => containers.note_end(&key.0, init).await,
                false => ended(init).await.map(drop),
            };
            match (ended, duty) {
                (Ok(()), Duty::Note) => {}
                (Ok(()), Duty::Poststop) => containers.ended(&key.0),
                (Ok(()), Duty::Resolve) => {
                    // What cannot be read is reported when it is looked at again.
                    if let Ok(Some(registered)) = containers.find(key.0.as_str()) {
                        containers.resolve(registered, Trigger::InitEnded).await;
                    }
                }
                // StopContainer, RemoveContainer or the next Synchronize starts it.
                (Err(error), _) => warn(&error),
            }
            containers.watched().lock().remove(&key);
        };
        self.behind(at_end.instrument(registered.span()));
    }

    /// Waits for the end of `init`, and notes with what that came. What cannot be noted is not known to poststop.
    async fn note_end(&self, id: &ContainerId, init: Init) -> io::Result<()> {
        let files = self.find(id.as_str()).ok().flatten().map(|found| found.files);
        // Those of a later init are none of ours.
        let is_of_another = |created: &Created| Init::of(created).is_some_and(|other| other != init);
        let files =
            files.filter(|files| !matches!(files.created(), Ok(Some(created)) if is_of_another(&created)));
        let Some(pidfd) = init.pidfd()? else { return Ok(()) };
        if let Some(files) = &files {
            let _ = files.note_init_watched();
        }
        let pidfd = system::readable(pidfd.into()).await?;
        let code = exit_code(&pidfd).await;
        if let (Some(files), Some(code)) = (files, code) {
            let _ = files.note_init_exited(code);
        }
        Ok(())
    }

    /// The same for the container with this id, by what its runner has noted: that has just reported
    /// that a stage is over.
    pub(in crate::daemon) fn reported(&self, id: &ContainerId) {
        if self.deletes_at_end() && !knows_exit_codes() {
            // Either it needs no watching, or StartContainer has begun that.
            return;
        }
        let (containers, id) = (self.clone(), id.clone());
        self.behind(async move {
            // What cannot be read is reported when its container is next needed.
            let Ok(Some(registered)) = containers.find(id.as_str()) else {
                return;
            };
            let created = registered.files.created().ok().flatten();
            containers.watch(&registered, created.as_ref().and_then(Init::of));
        });
    }

    fn ended(&self, id: &ContainerId) {
        let started = self.find(id.as_str()).map_err(anyhow::Error::from);
        let started = started.and_then(|found| {
            let Some(registered) = found else { return Ok(()) };
            if self.has_pending(&registered)? {
                self.start_poststop(&registered, Trigger::InitEnded)?;
            }
            Ok(())
        });
        if let Err(error) = started {
            warn(&error);
        }
    }
}

/// Whether the end of the container's init is noted: its poststop hooks get the exit code.
fn notes_exit(registered: &Registered) -> bool {
    knows_exit_codes() && registered.header.count(Stage::Poststop) > 0
}

/// Ready when `init` has ended.
async fn ended(init: Init) -> io::Result<()> {
    match init.pidfd()? {
        Some(pidfd) => system::readable(pidfd.into()).await.map(drop),
        None => Ok(()),
    }
}

/// With what the process ended, as soon as its parent has asked; `None` if that does not.
async fn exit_code(pidfd: &OwnedFd) -> Option<i32> {
    let asked = async {
        loop {
            match system::exit_code(pidfd) {
                Some(code) => return code,
                None => sleep(POLL_INTERVAL).await,
            }
        }
    };
    timeout(PARENT_LIMIT, asked).await.ok()
}
