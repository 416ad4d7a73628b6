//! A listening socket of the daemon: opening it, and accepting clients.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::future::pending;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use super::background::in_background;
use super::http::{self, Client};
use super::{Observer, client};
use crate::config::Listen;
use crate::model::escaped;
use crate::process::stat::Stat;
use crate::trust::access::Use;

/// The maximum number of clients at once. If there is one more, the oldest is disconnected.
const MAX_CLIENTS: usize = 32;

/// The pause after a failure to accept a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The interval between attempts to open a socket.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum time for another owner of the socket to identify itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(tokio::spawn(work).abort_handle())
    }
}

/// An address of a daemon with this state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) listen: Listen,
    pub(super) state_dir: Arc<str>,
}

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Place {
    /// Serves there as soon as the address is free, until the result is dropped.
    pub(super) fn serve(self, observer: Arc<Observer>) -> Task {
        Task::spawn(self.serve_forever(observer))
    }

    /// The same, in the caller's task.
    pub(super) async fn serve_forever(self, observer: Arc<Observer>) {
        loop {
            let listener = self.had().await;
            tokio::select! {
                () = accept(listener, observer.clone()) => {}
                () = self.lost() => {}
            }
        }
    }

    /// Waits until the socket can no longer be reached. It was removed, or a daemon that replaced this one is
    /// gone, for example a broken one that was rolled back.
    async fn lost(&self) {
        let Listen::Unix(path) = &self.listen else {
            return pending().await;
        };
        let inode = |path: Arc<str>| async move {
            let _access = Use::Read.begin(Path::new(&*path));
            fs::symlink_metadata(&*path).map(|file| file.ino()).ok()
        };
        let Some(ours) = in_background(inode(path.clone())).await else {
            return pending().await;
        };
        loop {
            sleep(RETRY_INTERVAL).await;
            let path = path.clone();
            let checked = in_background(async move {
                inode(path.clone()).await != ours && is_unused(UnixStream::connect(&*path).await.err())
            });
            if checked.await == Some(true) {
                return;
            }
        }
    }

    /// Waits until the address can be opened. While a daemon is replaced, the earlier one may still have it.
    /// Failures are logged once: hooks matter more.
    async fn had(&self) -> Listener {
        let name = self.listen.to_string();
        let mut logged = false;
        loop {
            let place = self.clone();
            let opened = in_background(async move { place.open().await }).await;
            match opened.unwrap_or_else(|| Err(io::Error::other("it panicked"))) {
                Ok(listener) => {
                    if logged {
                        tracing::info!(listen = %escaped(&name), "listening");
                    }
                    return listener;
                }
                Err(error) if !logged => {
                    logged = true;
                    tracing::error!(listen = %escaped(&name), %error, "cannot listen; trying again");
                }
                Err(_) => {}
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    pub(super) async fn open(&self) -> io::Result<Listener> {
        match &self.listen {
            Listen::Tcp(address) => Ok(Listener::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => self.open_unix(Path::new(&**path)).await.map(Listener::Unix),
        }
    }

    /// Listens at `path`, in place of a daemon that is gone, or of an earlier one with the same state
    /// directory, which this one replaces. A client never finds a socket at `path` that refuses it.
    ///
    /// # Errors
    /// Another process listens there, or the file is no socket.
    async fn open_unix(&self, path: &Path) -> io::Result<UnixListener> {
        let begin = || Use::Write.begin(path).map_err(|hangs| hangs.of(path));
        let in_use = |error| Err(io::Error::new(io::ErrorKind::AddrInUse, error));
        let mut access = begin()?;
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                let owner = UnixStream::connect(path).await;
                // Its owner may take time to answer, which must not count as the time of the file system.
                drop(access);
                if !self.is_free(owner).await {
                    return in_use(
                        "another process listens there, and it is not a daemon with this state directory",
                    );
                }
                access = begin()?;
            }
            Ok(_) => return in_use("the file there is not a socket: remove it, or set another address"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // It accepts before it gets its name.
        let unnamed = path.with_file_name(format!(".{}", process::id()));
        match fs::remove_file(&unnamed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&unnamed)?;
        fs::set_permissions(&unnamed, Permissions::from_mode(0o600))?;
        fs::rename(&unnamed, path)?;
        drop(access);
        Ok(listener)
    }

    /// Whether a socket may be taken from its `owner`.
    async fn is_free(&self, owner: io::Result<UnixStream>) -> bool {
        let stream = match owner {
            Ok(stream) => stream,
            Err(error) => return is_unused(Some(error)),
        };
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        match timeout(ANSWER_TIMEOUT, client::exchange_with(stream, "/status")).await {
            Ok(Ok(answer)) => self.is_predecessor(&answer),
            // The kernel keeps a killed daemon, with its sockets, while one of its threads waits for a file system.
            _ => pid.and_then(Stat::of).is_some_and(|owner| owner.is_ending()),
        }
    }

    /// Whether `answer` is the status of a daemon with the same state directory, of any release.
    fn is_predecessor(&self, answer: &str) -> bool {
        #[derive(Deserialize)]
        struct Of {
            state_dir: String,
        }
        let of: Option<Of> = client::body(answer).and_then(|body| serde_json::from_str(body).ok());
        of.is_some_and(|of| *of.state_dir == *self.state_dir)
    }
}

/// Whether the error means that no process listens at a socket.
fn is_unused(error: Option<io::Error>) -> bool {
    let kind = error.map(|error| error.kind());
    matches!(
        kind,
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
    )
}

/// Answers every client, until it is dropped.
///
/// No client can block others: of too many clients the oldest is disconnected, and each has its turn before
/// the next is accepted.
pub(super) async fn accept(listener: Listener, observer: Arc<Observer>) {
    let mut clients: VecDeque<Task> = VecDeque::new();
    loop {
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                let observer = observer.clone();
                Task::spawn(async move {
                    // A failure of the answer concerns only the client.
                    let _ = http::serve(stream, Client::Anyone, &observer).await;
                })
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                let observer = observer.clone();
                Task::spawn(async move {
                    let client = client(&stream);
                    let _ = http::serve(stream, client, &observer).await;
                })
            }),
        };
        match accepted {
            Ok(client) => {
                clients.retain(|client| !client.0.is_finished());
                if clients.len() == MAX_CLIENTS {
                    clients.pop_front();
                }
                clients.push_back(client);
                yield_now().await;
            }
            // There are too few descriptors; other clients release some when they end.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// The socket is for root alone, but between two system calls it was not yet.
fn client(stream: &UnixStream) -> Client {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == 0 => Client::Root,
        _ => Client::Anyone,
    }
}
