//! A plugin that is taken in: who it is, what it asked for, and the ways to part from it.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::caller::{CallError, Caller};
use super::error::ConnectionEnd;
use super::handshake::oversized;
use super::launch::LaunchedProcess;
use super::outcome::{FailedRequest, NoAnswer, Outcome};
use super::profile::RuntimeProfile;
use super::trunk::Trunk;
use crate::api::{ContainerUpdate, UpdateContainersRequest};
use crate::events::EventMask;
use crate::subscription::{FailurePolicy, Subscription};

/// A registered, configured and synchronized plugin. Dropping it disconnects it, and kills it if it was launched.
///
/// It has one method per event. They take `&mut self` because a runtime has one event at a time; several plugins
/// of one [`FakeRuntime`](super::FakeRuntime) wait for each other for the same reason.
pub struct PluginHandle {
    pub(super) name: String,
    pub(super) index: String,
    pub(super) profile: RuntimeProfile,
    pub(super) subscription: Subscription,
    pub(super) synchronize_updates: Vec<ContainerUpdate>,
    /// Whether events go through StateChange, for the version of the runtime or the answers of the plugin.
    pub(super) state_change_only: bool,
    pub(super) trunk: Arc<Trunk>,
    pub(super) caller: Caller,
    pub(super) requested: mpsc::UnboundedReceiver<UpdateContainersRequest>,
    pub(super) node: Arc<Mutex<()>>,
    pub(super) launched: Option<LaunchedProcess>,
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
    /// The name that the plugin goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index that the plugin goes by.
    pub fn index(&self) -> &str {
        &self.index
    }

    /// The events that the plugin gets.
    pub fn events(&self) -> EventMask {
        self.subscription.events
    }

    /// What the plugin wants to happen when it does not answer, whether or not this runtime's version knows of it.
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

    /// Waits until the connection has ended, and says why.
    pub async fn closed(&self) -> ConnectionEnd {
        self.trunk.closed().await
    }

    /// Why the connection has ended, if it has.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.trunk.end()
    }

    /// Sends bytes as they are, in the midst of the frames of the handshake and the events.
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

    /// Calls a method of the plugin. Without an answer, its failure policy applies if this runtime's version knows of
    /// it; a plugin that was gone before fails nothing.
    pub(super) async fn call<A: protobuf::Message>(&mut self, method: &str, request: Vec<u8>) -> Outcome<A> {
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
