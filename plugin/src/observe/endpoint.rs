//! Where the daemon can be asked about itself: a socket for root in its state folder, and where the
//! configuration says.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::listener::{Place, Task};
use super::{Observer, hearing};
use crate::config::{Config, Listen};
use crate::trust::TrustedDir;

/// The socket for root, in the state folder.
pub const STATUS_SOCKET: &str = "status.sock";

/// Where the daemon can be asked about itself, and where runners tell it what they did.
#[derive(Debug, Default)]
pub struct Endpoint {
    open: Mutex<Open>,
}

/// What is open, and the tasks that serve it.
#[derive(Debug, Default)]
struct Open {
    listen: Option<(Place, Task)>,
    status: Option<(Place, Task)>,
    bell: Option<(PathBuf, Task)>,
}

impl Endpoint {
    /// Opens what the configuration in force wants open, and closes the rest. What cannot be opened
    /// is logged, and tried again: hooks matter more.
    ///
    /// A daemon that the runtime has launched may be handed another configuration than the file's by
    /// it: until then it must not be called, for those sockets may be another daemon's.
    pub fn keep_up(&self, observer: &Arc<Observer>) {
        let inspection = observer.plugin().inspect();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |listen: Listen| Place {
            listen,
            state_dir: inspection.config.state_dir.clone(),
        };
        serve(
            &mut open.listen,
            inspection.config.listen.clone().map(place),
            observer,
        );
        let status = state_folder(&inspection.config).map(|folder| {
            let socket = folder.join(STATUS_SOCKET);
            place(Listen::Unix(socket.to_string_lossy().into()))
        });
        serve(&mut open.status, status, observer);
        let bell = inspection.ledger.and_then(Result::ok);
        if open.bell.as_ref().map(|(root, _)| &**root) != bell.as_ref().map(|ledger| ledger.root()) {
            open.bell = bell.map(|ledger| {
                let root = ledger.root().to_owned();
                let observer = observer.clone();
                let hearing = Task::spawn(async move {
                    if let Err(error) = hearing::hear(ledger, observer).await {
                        tracing::warn!(%error, "runners cannot be heard: their failures are in the ledger alone");
                    }
                });
                (root, hearing)
            });
        }
    }
}

/// Has `wanted` served, and nothing else any more.
fn serve(open: &mut Option<(Place, Task)>, wanted: Option<Place>, observer: &Arc<Observer>) {
    if open.as_ref().map(|(place, _)| place) != wanted.as_ref() {
        *open = None;
        *open = wanted.map(|place| (place.clone(), place.serve(observer.clone())));
    }
}

/// The state folder, which is made if the ledger will be in it; `None` if there is none, or others
/// than root could put a socket of their own there.
fn state_folder(config: &Config) -> Option<PathBuf> {
    let folder = Path::new(&*config.state_dir);
    if config.needs_ledger() {
        // The ledger tells what is wrong.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    TrustedDir::at(folder).ok().map(|_| folder.to_owned())
}
