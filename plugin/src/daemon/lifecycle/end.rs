//! The end of inits: the daemon starts poststop at that moment where no OCI runtime does.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::containers::{Containers, Registered, StageError, warn};
use crate::ledger::{EntryDirectory, Trigger};
use crate::model::{ContainerId, Stage};
use crate::process::Init;
use crate::system::{self, knows_exit_codes};

/// The maximum time for the parent of an init to wait for its exit code.
const PARENT_LIMIT: Duration = Duration::from_millis(200);

/// The interval at which the daemon checks whether the parent has done so.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The containers whose init is watched.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashSet<(ContainerId, Init)>>);

/// The action when an init ends.
#[derive(Debug, Clone, Copy)]
enum Duty {
    /// Starts poststop; an event waits for it.
    Poststop,
    /// Runs pending hooks and archives the records: no event will come.
    Resolve,
    /// Nothing: the OCI runtime starts poststop, and gets the exit code.
    Note,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashSet<(ContainerId, Init)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers {
    /// Notes the exit code of `init` for poststop, and runs poststop unless the OCI runtime does so itself.
    /// Call it on the thread of the containers.
    pub(super) fn watch(&self, registered: &Registered, init: Option<Init>) {
        let Some(init) = init else { return };
        let deletes = registered.header.injected && self.deletes_at_end();
        if !deletes {
            self.watch_for(registered, init, Duty::Poststop);
        } else if notes_exit(registered) {
            self.watch_for(registered, init, Duty::Note);
        }
    }

    /// Runs the pending hooks of a container that the runtime does not list, as soon as `init` ends, and
    /// archives its records. Call it on the thread of the containers.
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
                    // An unreadable record is reported at the next look at it.
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

    /// Waits for the end of `init`, and records its exit code. poststop does not get a code that cannot be
    /// recorded. Meanwhile one descriptor is open for the container, and no file of its records.
    async fn note_end(&self, id: &ContainerId, init: Init) -> io::Result<()> {
        let Some(pidfd) = init.pidfd()? else { return Ok(()) };
        if let Some(files) = self.files_of(id, init) {
            let _ = files.note_init_watched();
        }
        let pidfd = system::readable(pidfd.into()).await?;
        if let Some(code) = exit_code(&pidfd).await
            && let Some(files) = self.files_of(id, init)
        {
            let _ = files.note_init_exited(code);
        }
        Ok(())
    }

    /// The records of the container, unless they are of another init.
    fn files_of(&self, id: &ContainerId, init: Init) -> Option<EntryDirectory> {
        let files = self.find(id.as_str()).ok().flatten()?.files;
        match files.created() {
            Ok(Some(created)) if Init::of(&created).is_some_and(|other| other != init) => None,
            _ => Some(files),
        }
    }

    /// The same for the container with this id, by the note of its runner, which has just reported that a
    /// stage is over.
    pub(in crate::daemon) fn reported(&self, id: &ContainerId) {
        if self.deletes_at_end() && !knows_exit_codes() {
            // Either it needs no watching, or StartContainer has started that.
            return;
        }
        let (containers, id) = (self.clone(), id.clone());
        self.behind(async move {
            // An unreadable record is reported when its container is next needed.
            let Ok(Some(registered)) = containers.find(id.as_str()) else {
                return;
            };
            let created = registered.files.created().ok().flatten();
            containers.watch(&registered, created.as_ref().and_then(Init::of));
        });
    }

    fn ended(&self, id: &ContainerId) {
        let started = self.find(id.as_str()).map_err(StageError::from);
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

/// The exit code of the process, as soon as its parent has waited for it; `None` if that does not.
async fn exit_code(pidfd: &OwnedFd) -> Option<i32> {
    let ended = async {
        loop {
            match system::exit_code(pidfd) {
                Some(code) => return code,
                None => sleep(POLL_INTERVAL).await,
            }
        }
    };
    timeout(PARENT_LIMIT, ended).await.ok()
}
