//! An accepted plugin: its identity, its requests, and the ways to disconnect it.

use std::sync::Arc;

use containerd_nri::api::{ContainerUpdate, UpdateContainersRequest};
use containerd_nri::{EventMask, FailurePolicy, Subscription};
use tokio::sync::{Mutex, mpsc};

use crate::caller::{CallError, Caller};
use crate::error::ConnectionEnd;
use crate::handshake::oversized;
use crate::launch::LaunchedProcess;
use crate::outcome::{FailedRequest, NoAnswer, Outcome};
use crate::profile::RuntimeProfile;
use crate::trunk::Trunk;

/// A registered, configured and synchronized plugin. Dropping it disconnects it, and kills it if it was launched.
///
/// It has one method per event. They take `&mut self` because a runtime has one event at a time; several plugins
/// of one [`FakeRuntime`](crate::FakeRuntime) wait for each other for the same reason.
pub struct PluginHandle {
    pub(crate) name: String,
    pub(crate) index: String,
    pub(crate) profile: RuntimeProfile,
    pub(crate) subscription: Subscription,
    pub(crate) synchronize_updates: Vec<ContainerUpdate>,
    /// Whether events go through StateChange, for the version of the runtime or the answers of the plugin.
    pub(crate) state_change_only: bool,
    pub(crate) trunk: Arc<Trunk>,
    pub(crate) caller: Caller,
    pub(crate) requested: mpsc::UnboundedReceiver<UpdateContainersRequest>,
    pub(crate) node: Arc<Mutex<()>>,
    pub(crate) launched: Option<LaunchedProcess>,
}

impl std::fmt::Debug for PluginHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHandle")
            .field("index", &self.index)
            .field("name", &self.name)
            .field("subscription", &self.subscription)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

impl PluginHandle {
    /// The name of the plugin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index of the plugin.
    pub fn index(&self) -> &str {
        &self.index
    }

    /// The events that the plugin gets.
    pub fn events(&self) -> EventMask {
        self.subscription.events
    }

    /// The failure policy that the plugin requests, whether or not this runtime's version supports it.
    pub fn failure_policy(&self) -> FailurePolicy {
        self.subscription.failure_policy
    }

    /// The updates that the plugin asked for in its answer to Synchronize.
    pub fn synchronize_updates(&self) -> &[ContainerUpdate] {
        &self.synchronize_updates
    }

    /// Whether events go through StateChange instead of an RPC of their own.
    pub fn is_served_through_state_change(&self) -> bool {
        self.state_change_only
    }

    /// The process of the plugin, if it was launched.
    pub fn process_id(&self) -> Option<u32> {
        self.launched.as_ref().map(LaunchedProcess::id)
    }

    /// Waits for the next UpdateContainers that the plugin calls, which is answered by then.
    /// None when the plugin is gone.
    pub async fn update_request(&mut self) -> Option<UpdateContainersRequest> {
        self.requested.recv().await
    }

    /// Waits until the connection has ended, and returns the reason.
    pub async fn closed(&self) -> ConnectionEnd {
        self.trunk.closed().await
    }

    /// The reason why the connection has ended, if it has.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.trunk.end()
    }

    /// Sends bytes as they are, between the frames of the handshake and the events.
    ///
    /// # Errors
    /// If the plugin has closed the connection.
    pub async fn write_raw(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.trunk.write(bytes).await
    }

    /// Disconnects the plugin, and kills it if it was launched.
    pub fn close(&mut self) {
        self.trunk.close(ConnectionEnd::ByRuntime);
        self.launched = None;
    }

    /// Calls a method of the plugin. Without an answer, its failure policy applies if this runtime's version
    /// supports it; a plugin that was gone before fails nothing.
    pub(crate) async fn call<A: protobuf::Message>(&mut self, method: &str, request: Vec<u8>) -> Outcome<A> {
        let policy = match self.profile.has_failure_policies() {
            true => self.subscription.failure_policy,
            false => FailurePolicy::default(),
        };
        let was_gone = self.end().is_some();
        let limit = self.profile.request_timeout;
        let reason = match self
            .caller
            .call(method, request, limit, policy.keep_connected)
            .await
        {
            Ok(answer) => return Outcome::Answer(answer),
            Err(CallError::Refused(status)) => return Outcome::Refused(status),
            Err(CallError::Oversized(length)) => return Outcome::Refused(oversized(length)),
            Err(CallError::NoAnswer(reason)) => reason,
        };
        if !(policy.keep_connected && matches!(reason, NoAnswer::Timeout(_))) {
            self.close();
        }
        if policy.fail_request && !was_gone {
            let plugin = format!("{}-{}", self.index, self.name);
            return Outcome::Failed(FailedRequest {
                plugin,
                method: method.to_owned(),
                reason,
            });
        }
        Outcome::NoAnswer(reason)
    }
}

impl Drop for PluginHandle {
    fn drop(&mut self) {
        self.close();
    }
}
