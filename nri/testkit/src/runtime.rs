//! The runtime itself: its socket, its restarts, and the plugins it accepts or launches.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use containerd_nri::api::{Container, PodSandbox};
use containerd_nri::{Identity, Launched, Plugin};
use tokio::net::{UnixListener, UnixStream};

use crate::error::{AcceptError, ConnectionEnd};
use crate::handle::PluginHandle;
use crate::handshake::Node;
use crate::launch::LaunchedProcess;
use crate::profile::RuntimeProfile;
use crate::raw::RawConnection;
use crate::trunk::Trunk;

/// Builds a fake runtime.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    profile: RuntimeProfile,
    pods: Vec<PodSandbox>,
    containers: Vec<Container>,
    failing_updates: HashSet<String>,
}

impl Builder {
    /// The time limit of a plugin for one call, instead of the profile's 2 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.profile.request_timeout = timeout;
        self
    }

    /// The time limit of a plugin for its registration, instead of the profile's 5 s.
    pub fn registration_timeout(mut self, timeout: Duration) -> Self {
        self.profile.registration_timeout = timeout;
        self
    }

    /// The pods and containers in Synchronize.
    pub fn state(mut self, pods: Vec<PodSandbox>, containers: Vec<Container>) -> Self {
        self.pods = pods;
        self.containers = containers;
        self
    }

    /// A container whose update fails, when a plugin requests it outside of an event.
    pub fn failing_update(mut self, container_id: impl Into<String>) -> Self {
        self.failing_updates.insert(container_id.into());
        self
    }

    /// Runs a plugin in memory, as `10-test`, until the handle is dropped.
    ///
    /// # Errors
    /// [`AcceptError`] says which step failed and why.
    pub async fn run<P: Plugin>(self, plugin: impl Into<Arc<P>>) -> Result<PluginHandle, AcceptError> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let identity = Identity::new("10", "test").map_err(io::Error::other)?;
        let plugin = plugin.into();
        // It ends with the connection.
        tokio::spawn(Launched::with_socket(identity, theirs).run::<P>(plugin));
        let node = self.into_node();
        let open = Trunk::open(UnixStream::from_std(ours)?, node.profile.longest_payload())?;
        node.accept_plugin(open, None).await
    }

    /// A runtime that only launches plugins.
    pub fn without_socket(self) -> FakeRuntime {
        FakeRuntime {
            node: self.into_node(),
            listener: None,
            connections: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// A runtime that listens on a socket, which is removed first if it exists.
    ///
    /// # Errors
    /// If the socket cannot be made there.
    pub fn listen(self, socket: impl AsRef<Path>) -> io::Result<FakeRuntime> {
        let mut runtime = self.without_socket();
        runtime.start(socket.as_ref())?;
        Ok(runtime)
    }
}

impl Builder {
    fn into_node(self) -> Node {
        Node {
            profile: self.profile,
            pods: self.pods,
            containers: self.containers,
            failing_updates: Arc::new(self.failing_updates),
            lock: Arc::default(),
        }
    }
}

/// Runs a plugin in memory, with the newest of the runtimes: registered, configured and synchronized when this returns.
/// For another runtime or another state of the node, see [`Builder::run`].
///
/// # Errors
/// [`AcceptError`] says which step failed and why.
pub async fn run<P: Plugin>(plugin: impl Into<Arc<P>>) -> Result<PluginHandle, AcceptError> {
    FakeRuntime::builder(RuntimeProfile::newest()).run(plugin).await
}

/// A fake runtime. Dropping it removes its socket and ends all its connections.
#[derive(Debug)]
pub struct FakeRuntime {
    node: Node,
    listener: Option<(UnixListener, PathBuf)>,
    /// All connections, to end them with the runtime.
    connections: Vec<Weak<Trunk>>,
    /// Connections of plugins that were refused but not disconnected.
    refused: Vec<Arc<Trunk>>,
}

impl FakeRuntime {
    /// Starts to describe a runtime.
    pub fn builder(profile: RuntimeProfile) -> Builder {
        Builder {
            profile,
            pods: Vec::new(),
            containers: Vec::new(),
            failing_updates: HashSet::new(),
        }
    }

    /// Changes the pods and containers of the next Synchronize.
    pub fn set_state(&mut self, pods: Vec<PodSandbox>, containers: Vec<Container>) {
        self.node.pods = pods;
        self.node.containers = containers;
    }

    /// Waits for a plugin to connect, and accepts it: registration, Configure, Synchronize.
    ///
    /// # Errors
    /// [`AcceptError`] says which step failed and why.
    pub async fn accept(&mut self) -> Result<PluginHandle, AcceptError> {
        let stream = self.connection().await?;
        self.accept_plugin(stream, None).await
    }

    /// Waits for a plugin to connect, and leaves all else to the caller.
    ///
    /// # Errors
    /// If the runtime does not listen.
    pub async fn accept_raw(&mut self) -> io::Result<RawConnection> {
        Ok(RawConnection::new(self.connection().await?))
    }

    /// Launches a plugin, and accepts it under this identity, which runtimes take from its file name. It gets the
    /// configuration at Configure. It is killed when its handle is closed or dropped.
    ///
    /// # Errors
    /// [`AcceptError`] says which step failed and why.
    pub async fn launch(
        &mut self,
        program: impl AsRef<Path>,
        identity: &Identity,
        config: &str,
    ) -> Result<PluginHandle, AcceptError> {
        let (launched, stream) = LaunchedProcess::start(program.as_ref(), identity, config)?;
        self.accept_plugin(UnixStream::from_std(stream)?, Some(launched))
            .await
    }

    /// Stops as a runtime does: the socket disappears, and every plugin finds its connection closed.
    pub fn stop(&mut self) {
        if let Some((_, path)) = self.listener.take() {
            // It may have been removed by the test.
            let _ = std::fs::remove_file(path);
        }
        self.refused.clear();
        for trunk in self.connections.drain(..).filter_map(|trunk| trunk.upgrade()) {
            trunk.close(ConnectionEnd::ByRuntime);
        }
    }

    /// Starts to listen on a socket, which is removed first if it exists.
    ///
    /// # Errors
    /// If the socket cannot be made there.
    pub fn start(&mut self, socket: &Path) -> io::Result<()> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.listener = Some((UnixListener::bind(socket)?, socket.to_owned())),
        }
        Ok(())
    }

    /// Stops, and starts on the same socket again.
    ///
    /// # Errors
    /// If the runtime did not listen, or the socket cannot be made any more.
    pub fn restart(&mut self) -> io::Result<()> {
        let path = self
            .listener
            .as_ref()
            .map(|(_, path)| path.clone())
            .ok_or_else(not_listening)?;
        self.stop();
        self.start(&path)
    }

    async fn connection(&mut self) -> io::Result<UnixStream> {
        let (listener, _) = self.listener.as_ref().ok_or_else(not_listening)?;
        Ok(listener.accept().await?.0)
    }

    async fn accept_plugin(
        &mut self,
        stream: UnixStream,
        launched: Option<LaunchedProcess>,
    ) -> Result<PluginHandle, AcceptError> {
        let open = Trunk::open(stream, self.node.profile.longest_payload())?;
        let trunk = Arc::clone(&open.trunk);
        self.connections
            .retain(|connection| connection.strong_count() > 0);
        self.connections.push(Arc::downgrade(&trunk));
        let result = self.node.accept_plugin(open, launched).await;
        if result.is_err() {
            self.refused.push(trunk);
        }
        result
    }
}

impl Drop for FakeRuntime {
    fn drop(&mut self) {
        self.stop();
    }
}

fn not_listening() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "this fake runtime does not listen on a socket",
    )
}
