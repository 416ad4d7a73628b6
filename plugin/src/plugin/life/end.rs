//! The end of inits: where no OCI runtime starts poststop at that moment, the daemon does.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Instrument;

use super::containers::{Containers, Registered, warn};
use crate::ledger::{ContainerId, Trigger};
use crate::runner::Init;
use crate::system;

/// The containers whose init is watched.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashSet<(ContainerId, Init)>>);

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashSet<(ContainerId, Init)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers {
    /// Runs poststop as soon as `init` ends, unless the OCI runtime does so itself. To be called on
    /// the thread of the containers.
    pub(super) fn watch(&self, registered: &Registered, init: Option<Init>) {
        let Some(init) = init else { return };
        if registered.header.injected && self.deletes_at_end() {
            return;
        }
        let key = (registered.id.clone(), init);
        if !self.watched().lock().insert(key.clone()) {
            return;
        }
        let containers = self.clone();
        let poststop = async move {
            match ended(init).await {
                Ok(()) => containers.ended(&key.0),
                // StopContainer, RemoveContainer or the next Synchronize starts it.
                Err(error) => warn(&error),
            }
            containers.watched().lock().remove(&key);
        };
        self.behind(poststop.instrument(registered.span()));
    }

    /// The same for the container with this id, by what its runner has noted: that has just reported
    /// that a stage is over.
    pub(in crate::plugin) fn reported(&self, id: &ContainerId) {
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
