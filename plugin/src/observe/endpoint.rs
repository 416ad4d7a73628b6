//! Where the daemon can be asked about itself: a socket for root in its state folder, and where the
//! configuration says.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::http::{self, Client};
use super::{Observer, hearing};
use crate::config::{Config, Listen};
use crate::diagnostic::shown;
use crate::trust::TrustedDir;

/// The socket for root, in the state folder.
pub const STATUS_SOCKET: &str = "status.sock";

/// How many may ask at once; more wait.
const AT_ONCE: usize = 8;

/// How long to wait when nobody can be let in.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the daemon can be asked about itself, and where runners tell it what they did.
#[derive(Debug, Default)]
pub struct Endpoint {
    open: Mutex<Open>,
}

/// What is open, and the tasks that serve it.
#[derive(Debug, Default)]
struct Open {
    listen: Option<(Listen, Task)>,
    status: Option<(PathBuf, Task)>,
    bell: Option<(PathBuf, Task)>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Endpoint {
    /// Opens what the configuration in force wants open, and closes the rest. What cannot be opened
    /// is logged: hooks matter more.
    pub fn keep_up(&self, observer: &Arc<Observer>) {
        let inspection = observer.plugin().inspect();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = inspection.config.listen.clone();
        if open.listen.as_ref().map(|(listen, _)| listen) != wanted.as_ref() {
            open.listen = None;
            open.listen = wanted.and_then(|listen| Some((listen.clone(), offer(&listen, observer)?)));
        }
        let root = state_folder(&inspection.config);
        if open.status.as_ref().map(|(root, _)| root) != root.as_ref() {
            open.status = None;
            open.status = root.and_then(|root| {
                let socket = Listen::Unix(root.join(STATUS_SOCKET).to_string_lossy().into());
                Some((root, offer(&socket, observer)?))
            });
        }
        let bell = inspection.ledger.and_then(Result::ok);
        if open.bell.as_ref().map(|(root, _)| &**root) != bell.as_ref().map(|ledger| ledger.root()) {
            open.bell = bell.map(|ledger| {
                let root = ledger.root().to_owned();
                let observer = observer.clone();
                let hearing = tokio::spawn(async move {
                    if let Err(error) = hearing::hear(ledger, observer).await {
                        tracing::warn!(%error, "runners cannot be heard: their failures are in the ledger alone");
                    }
                });
                (root, Task(hearing.abort_handle()))
            });
        }
    }
}

/// Serves at `listen`, if that can be had.
fn offer(listen: &Listen, observer: &Arc<Observer>) -> Option<Task> {
    match listening(listen, observer.clone()) {
        Ok(task) => Some(task),
        Err(error) => {
            tracing::error!(listen = %shown(&listen.to_string()), %error, "cannot listen there");
            None
        }
    }
}

fn listening(listen: &Listen, observer: Arc<Observer>) -> io::Result<Task> {
    let listener = match listen {
        Listen::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Listener::Tcp(TcpListener::from_std(listener)?)
        }
        Listen::Unix(path) => Listener::Unix(bind(Path::new(&**path))?),
    };
    Ok(Task(tokio::spawn(accept(listener, observer)).abort_handle()))
}

/// Answers whoever connects, until it is aborted.
async fn accept(listener: Listener, observer: Arc<Observer>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let observer = observer.clone();
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    // What becomes of its answer is the client's concern.
                    let _ = http::serve(stream, Client::Anyone, &observer).await;
                    drop(place);
                });
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    let _ = http::serve(stream, Client::Root, &observer).await;
                    drop(place);
                });
            }),
        };
        if accepted.is_err() {
            // Descriptors are short; more come back when others are done.
            tokio::time::sleep(PAUSE).await;
        }
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

/// A socket for root alone, in place of one that an earlier daemon left behind.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
