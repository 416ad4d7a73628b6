//! Accepts a plugin: registration, Configure, Synchronize, each within its time and by the rules of the
//! version.

use std::collections::HashSet;
use std::sync::Arc;

use containerd_nri::api::{ConfigureRequest, ConfigureResponse, Container, PodSandbox};
use containerd_nri::{Code, EventMask, Status, Subscription};
use protobuf::Message as _;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::caller::{CallError, Caller};
use crate::error::{AcceptError, ConnectionEnd, Unfinished};
use crate::handle::PluginHandle;
use crate::launch::LaunchedProcess;
use crate::profile::RuntimeProfile;
use crate::service::{Origin, Registration, RuntimeService};
use crate::synchronize::synchronize;
use crate::trunk::{OpenTrunk, Trunk};

/// The data of a runtime that every plugin receives.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) profile: RuntimeProfile,
    pub(crate) pods: Vec<PodSandbox>,
    pub(crate) containers: Vec<Container>,
    pub(crate) failing_updates: Arc<HashSet<String>>,
    /// Held during every event: there is one at a time, for any plugin.
    pub(crate) lock: Arc<Mutex<()>>,
}

impl Node {
    /// Accepts the plugin at the other end of a trunk. A plugin that is refused at its registration stays
    /// connected.
    pub(crate) async fn accept_plugin(
        &self,
        OpenTrunk {
            trunk,
            plugin,
            runtime,
        }: OpenTrunk,
        launched: Option<LaunchedProcess>,
    ) -> Result<PluginHandle, AcceptError> {
        let (registrations, registered) = mpsc::channel(2);
        let (updates, requested) = mpsc::unbounded_channel();
        let service = RuntimeService {
            trunk: Arc::clone(&trunk),
            profile: self.profile.clone(),
            origin: if launched.is_some() {
                Origin::Launched
            } else {
                Origin::External
            },
            node: Arc::clone(&self.lock),
            failing_updates: Arc::clone(&self.failing_updates),
            registrations,
            updates,
        };
        tokio::spawn(service.serve(runtime));
        let mut caller = Caller::new(Arc::clone(&trunk), plugin, self.profile.longest_request());

        let (index, name) = self.registered(&trunk, registered).await?;
        let (index, name, config) = match &launched {
            Some(launched) => (
                launched.identity.index.to_string(),
                launched.identity.name.to_string(),
                launched.config.clone(),
            ),
            None => (index, name, String::new()),
        };
        let close = |_: &AcceptError| trunk.close(ConnectionEnd::ByRuntime);
        let subscription = self.configure(&mut caller, config).await.inspect_err(close)?;
        let synchronized = synchronize(&mut caller, &self.profile, &self.pods, &self.containers).await;
        let synchronized = match self.profile.closes_on_failed_synchronize() {
            true => synchronized.inspect_err(close),
            false => synchronized,
        };
        Ok(PluginHandle {
            name,
            index,
            subscription,
            synchronize_updates: synchronized?,
            state_change_only: !self.profile.has_rpc_per_event(),
            profile: self.profile.clone(),
            trunk,
            caller,
            requested,
            node: Arc::clone(&self.lock),
            launched,
        })
    }

    /// Waits for the registration, and returns index and name.
    async fn registered(
        &self,
        trunk: &Trunk,
        mut registered: mpsc::Receiver<Registration>,
    ) -> Result<(String, String), AcceptError> {
        let limit = self.profile.registration_timeout;
        let mut unreadable = None;
        let waited = timeout(limit, async {
            loop {
                tokio::select! {
                    biased;
                    Some(registration) = registered.recv() => match registration {
                        Registration::Accepted(request) => return Ok((request.plugin_idx, request.plugin_name)),
                        Registration::Invalid(text) => return Err(AcceptError::InvalidIdentity(text)),
                        Registration::Unreadable(end) => unreadable = Some(end),
                    },
                    end = trunk.closed() => return Err(AcceptError::ClosedBeforeRegistration(end)),
                }
            }
        });
        match waited.await {
            Ok(result) => result,
            Err(_) => {
                trunk.close(ConnectionEnd::ByRuntime);
                Err(AcceptError::RegistrationTimeout {
                    timeout: limit,
                    unreadable,
                })
            }
        }
    }

    /// Configures the plugin, and returns its subscription.
    async fn configure(&self, caller: &mut Caller, config: String) -> Result<Subscription, AcceptError> {
        let profile = &self.profile;
        let mut request = ConfigureRequest {
            config,
            runtime_name: profile.runtime_name.clone(),
            runtime_version: profile.runtime_version.clone(),
            ..Default::default()
        };
        if profile.sends_timeouts_and_splits() {
            let milliseconds =
                |timeout: std::time::Duration| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            request.registration_timeout = milliseconds(profile.registration_timeout);
            request.request_timeout = milliseconds(profile.request_timeout);
        }
        if profile.has_rpc_per_event() {
            request.NRI_version = profile.nri.to_string();
        }
        let payload = request.write_to_bytes().unwrap_or_default();
        let answer: Result<ConfigureResponse, _> = caller
            .call("Configure", payload, profile.request_timeout, false)
            .await;
        let answer = answer.map_err(|error| AcceptError::Configure(error.into()))?;
        let (wanted, valid) = (answer.events, profile.valid_events());
        let events = match wanted & !valid.bits() {
            0 if wanted == 0 => valid,
            0 => EventMask::from_bits(wanted).unwrap_or_default(),
            unknown => return Err(AcceptError::InvalidEvents(unknown)),
        };
        Ok(Subscription::new(events).failure_policy(answer.failure_policy.into()))
    }
}

impl From<CallError> for Unfinished {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(status) => Self::Refused(status),
            CallError::NoAnswer(reason) => Self::NoAnswer(reason),
            CallError::Oversized(length) => Self::Refused(oversized(length)),
        }
    }
}

/// The error that the sender of a message of over 4 MiB gets.
pub(crate) fn oversized(length: usize) -> Status {
    let limit = ttrpc::proto::MESSAGE_LENGTH_MAX;
    let text = format!("message length {length} exceed maximum message size of {limit}");
    Status::new(Code::ResourceExhausted, text)
}
