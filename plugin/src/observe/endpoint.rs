//! The sockets at which the daemon reports about itself: one for root in its state directory, and the
//! configured ones.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::sleep;

use super::background::in_background;
use super::heartbeat::Heartbeat;
use super::listener::{Place, RETRY_INTERVAL, Task};
use super::{Observer, notifications};
use crate::config::{Config, Listen};
use crate::ledger::Ledger;
use crate::trust::access::{NotAnswering, Use};
use crate::trust::{Fault, TrustError, TrustedDir};

/// The socket for root, in the state directory.
pub(crate) const STATUS_SOCKET: &str = "status.sock";

/// The sockets of the daemon: for requests about itself, and for the notifications of runners.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    open: Mutex<Open>,
}

/// The open sockets, and the tasks that serve them.
#[derive(Debug, Default)]
struct Open {
    listen: Option<(Place, Task)>,
    status: Option<(Place, Task)>,
    notifications: Option<(PathBuf, Task)>,
    heartbeat: Option<Heartbeat>,
}

impl Endpoint {
    /// Opens the sockets of the active configuration, and closes the others. Failures are logged, and
    /// retried: hooks matter more. Returns at once; no path is accessed before.
    ///
    /// The runtime may send another configuration than the file's to a daemon that it has launched. Until
    /// then this must not be called, because the sockets may belong to another daemon.
    pub(crate) fn refresh(&self, observer: &Arc<Observer>) {
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
                    match in_background(async move { has_state_directory(&config) }).await {
                        Some(Err(NotAnswering { .. })) => sleep(RETRY_INTERVAL).await,
                        has_directory => break has_directory,
                    }
                };
                if has_directory == Some(Ok(true)) {
                    place.serve_forever(observer).await;
                }
            });
            open.status = Some((status, serving));
        }
        let state_dir = Path::new(&*inspection.config.state_dir);
        if open.heartbeat.as_ref().map(Heartbeat::directory) != Some(state_dir) {
            open.heartbeat = None;
            open.heartbeat = Heartbeat::start(&inspection.config, observer.since());
        }
        let ledger = inspection.ledger.and_then(Result::ok);
        if open.notifications.as_ref().map(|(root, _)| &**root) != ledger.as_ref().map(|ledger| ledger.root())
        {
            open.notifications = ledger.map(|ledger| {
                let root = ledger.root().to_owned();
                let observer = observer.clone();
                (root, Task::spawn(receive_notifications(ledger, observer)))
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

    /// Closes all sockets.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Open::default();
    }
}

/// Receives the notifications of runners, forever.
async fn receive_notifications(ledger: Ledger, observer: Arc<Observer>) {
    let mut logged = String::new();
    loop {
        if let Err(error) = notifications::receive(ledger.clone(), observer.clone()).await {
            let error = error.to_string();
            if error != logged {
                tracing::warn!(%error, "cannot receive notifications of runners: their failures are only in the ledger");
            }
            logged = error;
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// Whether the state directory exists, and only root could put a socket there. It is created if the ledger
/// will be in it.
///
/// Fails if its file system does not answer.
pub(super) fn has_state_directory(config: &Config) -> Result<bool, NotAnswering> {
    let directory = Path::new(&*config.state_dir);
    if config.needs_ledger() {
        let _access = Use::Write.begin(directory)?;
        // The ledger reports the error.
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
