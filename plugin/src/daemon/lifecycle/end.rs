//! The end of inits: where no OCI runtime starts poststop at that moment, the daemon does.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Instrument;

use super::containers::{Containers, Registered, warn};
use crate::ledger::Trigger;
use crate::model::ContainerId;
use crate::process::Init;
use crate::system;

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
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashSet<(ContainerId, Init)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers {
    /// Runs poststop as soon as `init` ends, unless the OCI runtime does so itself. To be called on
    /// the thread of the containers.
    pub(super) fn watch(&self, registered: &Registered, init: Option<Init>) {
        let deletes = registered.header.injected && self.deletes_at_end();
        if let Some(init) = init.filter(|_| !deletes) {
            self.watch_for(registered, init, Duty::Poststop);
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
        let at_end = async move {
            match (ended(init).await, duty) {
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

    /// The same for the container with this id, by what its runner has noted: that has just reported
    /// that a stage is over.
    pub(in crate::daemon) fn reported(&self, id: &ContainerId) {
        if self.deletes_at_end() {
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

/// Ready when `init` has ended.
async fn ended(init: Init) -> std::io::Result<()> {
    match init.pidfd()? {
        Some(pidfd) => system::readable(pidfd.into()).await,
        None => Ok(()),
    }
}
