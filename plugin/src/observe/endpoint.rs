//! Where the daemon can be asked about itself: a socket for root in its state directory, and where the
//! configuration says.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::sleep;

use super::aside::aside;
use super::heartbeat::Heartbeat;
use super::listener::{AGAIN, Place, Task};
use super::{Observer, notifications};
use crate::config::{Config, Listen};
use crate::ledger::Ledger;
use crate::trust::access::{NotAnswering, Use};
use crate::trust::{Fault, TrustError, TrustedDir};

/// The socket for root, in the state directory.
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
    heartbeat: Option<Heartbeat>,
}

impl Endpoint {
    /// Opens what the configuration in force wants open, and closes the rest. What cannot be opened
    /// is logged, and tried again: hooks matter more. Returns at once; no path is touched before.
    ///
    /// A daemon that the runtime has launched may be handed another configuration than the file's by
    /// it: until then it must not be called, for those sockets may be another daemon's.
    pub fn refresh(&self, observer: &Arc<Observer>) {
        let inspection = observer.plugin().inspect();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |listen: Listen| Place {
            listen,
            state_dir: inspection.config.state_dir.clone(),
        };
        let port = inspection.config.listen.clone().map(place);
        if open.listen.as_ref().map(|(place, _)| place) != port.as_ref() {
            open.listen = None;
            open.listen = port.map(|place| (place.clone(), place.serve(observer.clone())));
        }
        let socket = Path::new(&*inspection.config.state_dir).join(STATUS_SOCKET);
        let status = place(Listen::Unix(socket.to_string_lossy().into()));
        if open.status.as_ref().map(|(place, _)| place) != Some(&status) {
            open.status = None;
            let (observer, place, config) = (observer.clone(), status.clone(), inspection.config.clone());
            let serving = Task::spawn(async move {
                let has_directory = loop {
                    let config = config.clone();
                    match aside(async move { has_state_directory(&config) }).await {
                        Some(Err(NotAnswering { .. })) => sleep(AGAIN).await,
                        has_directory => break has_directory,
                    }
                };
                if has_directory == Some(Ok(true)) {
                    place.serve_for_ever(observer).await;
                }
            });
            open.status = Some((status, serving));
        }
        let state_dir = Path::new(&*inspection.config.state_dir);
        if open.heartbeat.as_ref().map(Heartbeat::directory) != Some(state_dir) {
            open.heartbeat = None;
            open.heartbeat = Heartbeat::start(&inspection.config, observer.since());
        }
        let bell = inspection.ledger.and_then(Result::ok);
        if open.bell.as_ref().map(|(root, _)| &**root) != bell.as_ref().map(|ledger| ledger.root()) {
            open.bell = bell.map(|ledger| {
                let root = ledger.root().to_owned();
                let observer = observer.clone();
                (root, Task::spawn(hear(ledger, observer)))
            });
        }
    }

    /// The thread that answers the runtime runs.
    pub(super) fn beat(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heartbeat) = &open.heartbeat {
            heartbeat.beat();
        }
    }

    /// Closes all of it.
    pub fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Open::default();
    }
}

/// Hears runners, for ever.
async fn hear(ledger: Ledger, observer: Arc<Observer>) {
    let mut told = String::new();
    loop {
        if let Err(error) = notifications::hear(ledger.clone(), observer.clone()).await {
            let error = error.to_string();
            if error != told {
                tracing::warn!(%error, "runners cannot be heard: their failures are in the ledger alone");
            }
            told = error;
        }
        sleep(AGAIN).await;
    }
}

/// Whether the state directory, which is made if the ledger will be in it, is there, and nobody but root could put a
/// socket of his own there.
///
/// Fails if its file system does not answer.
pub(super) fn has_state_directory(config: &Config) -> Result<bool, NotAnswering> {
    let directory = Path::new(&*config.state_dir);
    if config.needs_ledger() {
        let _access = Use::Write.begin(directory)?;
        // The ledger tells what is wrong.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    }
    match TrustedDir::at(directory) {
        Err(TrustError {
            fault: Fault::NotAnswering(hangs),
            ..
        }) => Err(hangs),
        found => Ok(found.is_ok()),
    }
}
