//! A plugin that connects to the runtime's socket, and again after each connection.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::backoff::Backoff;
use crate::error::Error;
use crate::identity::Identity;
use crate::plugin::Plugin;
use crate::runtime::RuntimeHandle;
use crate::session::{self, End};
use crate::workers::Workers;

/// The socket on which runtimes listen for plugins by default.
pub const DEFAULT_SOCKET: &str = "/var/run/nri/nri.sock";

/// A plugin as a service of its own: it connects to the socket of the runtime, and connects again whenever the
/// connection ends. That is the normal case, not an error: a runtime that restarts closes the connection and
/// creates a new socket.
///
/// ```no_run
/// # use containerd_nri::{Configuration, Context, EventMask, Identity, Plugin, Service, Status, Subscription};
/// # struct Mine;
/// # impl Plugin for Mine {
/// #     async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
/// #         Ok(EventMask::ALL.into())
/// #     }
/// # }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tokio::signal::unix::{SignalKind, signal};
///
/// // Kubernetes ends a pod with SIGTERM.
/// let mut terminate = signal(SignalKind::terminate())?;
/// let terminated = async move {
///     terminate.recv().await;
/// };
/// Service::new(Mine, Identity::new("10", "mine")?).run_until(terminated).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a service does nothing until it is run"]
pub struct Service<P> {
    plugin: Arc<P>,
    identity: Identity,
    dialer: Dialer,
    runtime: RuntimeHandle,
    backoff: Backoff,
    workers: Workers,
}

impl<P: Plugin> Service<P> {
    /// A service for a plugin, on [`DEFAULT_SOCKET`].
    pub fn new(plugin: impl Into<Arc<P>>, identity: Identity) -> Self {
        Self {
            plugin: plugin.into(),
            identity,
            dialer: Dialer::Socket(DEFAULT_SOCKET.into()),
            runtime: RuntimeHandle::new(),
            backoff: Backoff::default(),
            workers: Workers::new(),
        }
    }

    /// Uses another socket.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.dialer = Dialer::Socket(path.into());
        self
    }

    /// Uses another way to connect than a path: `dial` is called for each connection.
    pub fn dialer<F>(mut self, dial: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<UnixStream>> + Send + 'static,
    {
        self.dialer = Dialer::Custom(Box::new(move || Box::pin(dial())));
        self
    }

    /// A handle to call the runtime, and to watch the connection. It is valid over all connections.
    pub fn runtime(&self) -> RuntimeHandle {
        self.runtime.clone()
    }

    /// Uses other waiting times than [`Backoff::default`] before it connects again.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Runs forever. Dropping the future stops it at once, and the runtime continues without the plugin even
    /// in the middle of an event; see [`Service::run_until`].
    pub async fn run(self) -> Infallible {
        loop {
            self.connect_again_and_again(pending()).await;
        }
    }

    /// Runs until `stop` is ready, then answers the requests already received, for at most 2 s, and closes the
    /// connection.
    ///
    /// Needs a tokio runtime with I/O and time; one thread is enough.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        self.connect_again_and_again(stop).await;
    }

    async fn connect_again_and_again(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut backoff = self.backoff.clone();
        let mut failures = Failures::default();
        loop {
            let connected = tokio::select! {
                biased;
                () = stop.as_mut() => return,
                connected = self.dialer.connect() => connected,
            };
            let reason = match connected {
                Err(error) => error,
                Ok(socket) => {
                    let plugin = Arc::clone(&self.plugin);
                    match session::run(
                        plugin,
                        &self.workers,
                        &self.identity,
                        &self.runtime,
                        socket,
                        stop.as_mut(),
                    )
                    .await
                    {
                        End::Stopped => return,
                        End::Failed {
                            reason,
                            was_synchronized,
                        } => {
                            if was_synchronized {
                                backoff.reset();
                                failures = Failures::default();
                            }
                            reason
                        }
                    }
                }
            };
            failures.report(&reason);
            tokio::select! {
                biased;
                () = stop.as_mut() => return,
                () = sleep(backoff.next_delay()) => {}
            }
        }
    }
}

/// A future that connects.
type Dialing = Pin<Box<dyn Future<Output = io::Result<UnixStream>> + Send>>;

/// The way to connect to the runtime.
enum Dialer {
    /// To the socket at a path.
    Socket(PathBuf),
    /// The plugin's own way.
    Custom(Box<dyn Fn() -> Dialing + Send + Sync>),
}

impl Dialer {
    async fn connect(&self) -> Result<UnixStream, Error> {
        match self {
            Self::Socket(path) => UnixStream::connect(path).await.map_err(|cause| Error::Connect {
                path: path.clone(),
                cause,
            }),
            Self::Custom(dial) => Ok(dial().await?),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => f.debug_tuple("Socket").field(path).finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// Consecutive failures; each kind is logged once.
#[derive(Default)]
struct Failures {
    last: String,
}

impl Failures {
    /// Logs a failure, unless the previous one was the same. Returns whether it was logged.
    fn report(&mut self, reason: &Error) -> bool {
        let text = reason.to_string();
        let is_new = text != self.last;
        if is_new {
            tracing::warn!(%reason, "no connection to the runtime; trying again until there is one");
            self.last = text;
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::AsyncReadExt;
    use tokio::net::UnixListener;
    use tokio::sync::oneshot;

    use super::*;
    use crate::context::{Configuration, Context};
    use crate::events::EventMask;
    use crate::frame::{FrameHeader, RUNTIME_CONNECTION};
    use crate::status::Status;
    use crate::subscription::Subscription;

    struct Idle;

    impl Plugin for Idle {
        async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
            Ok(EventMask::ALL.into())
        }
    }

    /// Accepts the plugin and waits for its first call, which is its registration.
    async fn accept(listener: &UnixListener) -> UnixStream {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut header = [0; FrameHeader::LEN];
        socket.read_exact(&mut header).await.unwrap();
        assert_eq!(FrameHeader::decode(header).connection, RUNTIME_CONNECTION);
        socket
    }

    #[tokio::test]
    async fn a_runtime_that_starts_after_the_plugin_or_restarts_with_a_new_socket_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nri.sock");
        let (stop, stopped) = oneshot::channel();
        let service = Service::new(Idle, Identity::new("10", "idle").unwrap()).socket(&path);
        let service = tokio::spawn(service.run_until(async { stopped.await.unwrap_or_default() }));
        for _ in 0..3 {
            tokio::task::yield_now().await;
            let listener = UnixListener::bind(&path).unwrap();
            let socket = accept(&listener).await;
            fs::remove_file(&path).unwrap();
            drop((listener, socket));
        }
        let listener = UnixListener::bind(&path).unwrap();
        let mut socket = accept(&listener).await;
        stop.send(()).unwrap();
        service.await.unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn a_dialer_of_ones_own_makes_each_connection() {
        let (sender, mut dialed) = tokio::sync::mpsc::unbounded_channel();
        let service = Service::new(Idle, Identity::new("10", "idle").unwrap()).dialer(move || {
            let sender = sender.clone();
            async move {
                let (ours, theirs) = UnixStream::pair()?;
                sender.send(theirs).map_err(io::Error::other)?;
                Ok(ours)
            }
        });
        let service = tokio::spawn(service.run());
        for _ in 0..2 {
            drop(dialed.recv().await.unwrap());
        }
        service.abort();
    }

    #[test]
    fn a_failure_that_repeats_is_reported_once() {
        let mut failures = Failures::default();
        assert!(failures.report(&Error::Closed));
        assert!(!failures.report(&Error::Closed));
        assert!(failures.report(&Error::RpcEnded));
        assert!(failures.report(&Error::Closed));
    }
}
