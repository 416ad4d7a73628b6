//! The plugin's handle for calls to the runtime, and the state of the connection.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::api;
use crate::context::ASSUMED_REQUEST_TIMEOUT;
use crate::error::Error;
use crate::rpc::RuntimeClient;
use crate::status::Status;
use crate::updates::Updates;

/// The state of a plugin's connection to its runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is no connection: containers are created without the plugin.
    #[default]
    Disconnected,
    /// The runtime has accepted the plugin, but may not send events yet.
    Registered,
    /// The plugin is synchronized: it gets its events.
    Synchronized,
}

/// A way for the plugin to call the runtime. It can be cloned and kept: it is valid over all connections of the plugin.
#[derive(Clone)]
pub struct RuntimeHandle(Arc<Shared>);

struct Shared {
    client: Mutex<Option<RuntimeClient>>,
    state: watch::Sender<ConnectionState>,
}

impl Shared {
    fn client(&self) -> MutexGuard<'_, Option<RuntimeClient>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuntimeHandle {
    /// A handle without a connection.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            client: Mutex::default(),
            state: watch::Sender::new(ConnectionState::Disconnected),
        }))
    }

    /// Changes the resources of containers, outside of any event. Returns the updates that the runtime could not make.
    ///
    /// The protocol has evictions beside the updates, here and in the answers to events. This method and the
    /// builders of answers leave them out, since no runtime obeys them.
    ///
    /// Must not be awaited inside of a handler. Before NRI 0.12.1 the runtime holds the lock that this call
    /// needs until the handler is done, and both wait until the handler's deadline. Start a task for it.
    ///
    /// # Errors
    /// [`Error::Disconnected`] without a connection. [`Error::Call`] if the runtime refuses, does not answer within
    /// 2 s, or the connection ends meanwhile.
    pub async fn update_containers(
        &self,
        updates: impl Into<Updates>,
    ) -> Result<Vec<api::ContainerUpdate>, Error> {
        let client = self.0.client().clone().ok_or(Error::Disconnected)?;
        let request = api::UpdateContainersRequest {
            update: updates.into().into(),
            ..Default::default()
        };
        let limit = ttrpc::context::with_duration(ASSUMED_REQUEST_TIMEOUT);
        match client.update_containers(limit, &request).await {
            Ok(response) => Ok(response.failed),
            Err(error) => Err(Error::Call {
                method: "UpdateContainers",
                status: Status::received(error),
            }),
        }
    }

    /// The state of the plugin's connection to its runtime.
    pub fn state(&self) -> ConnectionState {
        *self.0.state.borrow()
    }

    /// The state to watch: a receiver that wakes at each change.
    ///
    /// ```
    /// use containerd_nri::{ConnectionState, RuntimeHandle};
    ///
    /// async fn when_synchronized(runtime: &RuntimeHandle) {
    ///     let mut state = runtime.watch();
    ///     // An error means that the plugin is gone.
    ///     let _ = state.wait_for(|state| *state == ConnectionState::Synchronized).await;
    /// }
    /// ```
    pub fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.subscribe()
    }

    /// Records the state of the plugin.
    pub(crate) fn reached(&self, state: ConnectionState) {
        self.0.state.send_replace(state);
    }

    /// Puts the handle on a new connection, until the guard is dropped.
    pub(crate) fn connect(&self, client: RuntimeClient) -> Connected {
        *self.0.client() = Some(client);
        Connected(self.clone())
    }
}

/// A handle that has a connection.
pub(crate) struct Connected(RuntimeHandle);

impl Drop for Connected {
    fn drop(&mut self) {
        *self.0.0.client() = None;
        self.0.reached(ConnectionState::Disconnected);
    }
}

impl fmt::Debug for RuntimeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RuntimeHandle").field(&self.state()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_without_a_connection_fails_at_once() {
        let handle = RuntimeHandle::new();
        assert_eq!(handle.state(), ConnectionState::Disconnected);
        let error = handle.update_containers(Updates::new()).await.unwrap_err();
        assert!(matches!(error, Error::Disconnected));
    }
}
