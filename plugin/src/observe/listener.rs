//! A place where the daemon listens: having it, and letting in whoever asks.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::future::pending;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};

use super::aside::aside;
use super::http::{self, Client};
use super::{Observer, ask};
use crate::config::Listen;
use crate::model::shown;
use crate::trust::access::Use;

/// How many clients may be there at once: for one more, the one that came first has to go.
const AT_ONCE: usize = 32;

/// How long to wait when nobody can be let in.
const PAUSE: Duration = Duration::from_millis(100);

/// How long until a place that could not be had is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How long who has the socket may take to say who he is.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Somewhere to listen, of a daemon with this state directory.
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
    /// Serves there as soon as that can be had, and until the answer is dropped.
    pub(super) fn serve(self, observer: Arc<Observer>) -> Task {
        Task::spawn(self.serve_for_ever(observer))
    }

    /// The same, in the caller's task.
    pub(super) async fn serve_for_ever(self, observer: Arc<Observer>) {
        loop {
            let listener = self.had().await;
            tokio::select! {
                () = accept(listener, observer.clone()) => {}
                () = self.lost() => {}
            }
        }
    }

    /// Waits until nobody can be reached there any more: the socket was removed, or a daemon that took
    /// over from this one is gone, as one that is no good and is replaced by this one again.
    async fn lost(&self) {
        let Listen::Unix(path) = &self.listen else {
            return pending().await;
        };
        let inode = |path: Arc<str>| async move {
            let _access = Use::Read.begin(Path::new(&*path));
            fs::symlink_metadata(&*path).map(|file| file.ino()).ok()
        };
        let Some(ours) = aside(inode(path.clone())).await else {
            return pending().await;
        };
        loop {
            sleep(AGAIN).await;
            let path = path.clone();
            let looked = aside(async move {
                inode(path.clone()).await != ours && is_nobodys(UnixStream::connect(&*path).await.err())
            });
            if looked.await == Some(true) {
                return;
            }
        }
    }

    /// Waits until it can be had: on a node whose daemon is being replaced, the earlier one may have
    /// it for a while. Trouble is logged once: hooks matter more.
    async fn had(&self) -> Listener {
        let name = self.listen.to_string();
        let mut told = false;
        loop {
            let place = self.clone();
            let opened = aside(async move { place.open().await }).await;
            match opened.unwrap_or_else(|| Err(io::Error::other("it panicked"))) {
                Ok(listener) => {
                    if told {
                        tracing::info!(listen = %shown(&name), "listens there now");
                    }
                    return listener;
                }
                Err(error) if !told => {
                    told = true;
                    tracing::error!(listen = %shown(&name), %error, "cannot listen there; trying again");
                }
                Err(_) => {}
            }
            sleep(AGAIN).await;
        }
    }

    pub(super) async fn open(&self) -> io::Result<Listener> {
        match &self.listen {
            Listen::Tcp(address) => Ok(Listener::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                let path = Path::new(&**path);
                let _access = Use::Write.begin(path).map_err(|hangs| hangs.of(path))?;
                self.make_room(path).await?;
                let listener = UnixListener::bind(path)?;
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
                Ok(Listener::Unix(listener))
            }
        }
    }

    /// Removes the socket at `path` that a daemon which is gone has left there, or that an earlier one
    /// with the same state directory has: it is being replaced, and this one will outlive it.
    ///
    /// # Errors
    /// Anybody else listens there.
    async fn make_room(&self, path: &Path) -> io::Result<()> {
        // Of anything else bind says what is wrong.
        if !fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            return Ok(());
        }
        let is_free = match UnixStream::connect(path).await {
            Err(error) => is_nobodys(Some(error)),
            Ok(stream) => match timeout(PATIENCE, ask::exchange_status(stream)).await {
                Ok(Ok(answer)) => self.is_predecessor(&answer),
                _ => false,
            },
        };
        if !is_free {
            let error = "another process listens there, and it is no daemon with this state directory";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, error));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether `answer` is the status of a daemon, of whatever release, with the same state directory.
    fn is_predecessor(&self, answer: &str) -> bool {
        #[derive(Deserialize)]
        struct Of {
            state_dir: String,
        }
        let of: Option<Of> = ask::body(answer).and_then(|body| serde_json::from_str(body).ok());
        of.is_some_and(|of| *of.state_dir == *self.state_dir)
    }
}

/// Whether it says that nobody listens at a socket.
fn is_nobodys(error: Option<io::Error>) -> bool {
    let kind = error.map(|error| error.kind());
    matches!(
        kind,
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
    )
}

/// Answers whoever connects, until it is dropped.
///
/// Nobody can keep others out: of too many clients the one that came first has to go, and each has
/// its turn before the next is let in.
pub(super) async fn accept(listener: Listener, observer: Arc<Observer>) {
    let mut clients: VecDeque<Task> = VecDeque::new();
    loop {
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                let observer = observer.clone();
                Task::spawn(async move {
                    // What becomes of its answer is the client's concern.
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
                if clients.len() == AT_ONCE {
                    clients.pop_front();
                }
                clients.push_back(client);
                yield_now().await;
            }
            // Descriptors are short; more come back when others are done.
            Err(_) => sleep(PAUSE).await,
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
