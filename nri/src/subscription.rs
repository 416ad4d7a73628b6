//! The answer of a plugin to its configuration: its events, and its failure policy.

use crate::api;
use crate::events::EventMask;
use crate::version::Version;

/// The events and the failure policy of a plugin: the answer of [`Plugin::configure`](crate::Plugin::configure).
///
/// The events alone are one, too:
///
/// ```
/// use containerd_nri::{EventMask, FailurePolicy, Subscription};
///
/// let plain: Subscription = EventMask::CREATE_CONTAINER.into();
/// assert_eq!(plain.failure_policy, FailurePolicy::default());
///
/// let strict = Subscription::new(EventMask::CREATE_CONTAINER)
///     .failure_policy(FailurePolicy::default().fail_request().keep_connected());
/// assert!(strict.failure_policy.fail_request);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct Subscription {
    /// The events that the plugin gets.
    pub events: EventMask,
    /// The reaction of the runtime to an event without an answer.
    pub failure_policy: FailurePolicy,
}

impl Subscription {
    /// A subscription to events, with the failure policy that every runtime has by default.
    pub fn new(events: EventMask) -> Self {
        Self {
            events,
            failure_policy: FailurePolicy::default(),
        }
    }

    /// Asks for another failure policy.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.failure_policy = policy;
        self
    }
}

impl From<EventMask> for Subscription {
    fn from(events: EventMask) -> Self {
        Self::new(events)
    }
}

/// The reaction of the runtime to an event without an answer: after the request timeout, when the connection is lost
/// meanwhile, or after a protocol error. An error that the plugin answers is no such failure.
///
/// | field | set | not set, the default |
/// |---|---|---|
/// | [`fail_request`](Self::fail_request) | The request fails, with an error that names the plugin. Later plugins do not get it. | The request goes on without the plugin: a container is created without its changes. |
/// | [`keep_connected`](Self::keep_connected) | A plugin that misses the deadline stays connected and gets the next request. Each missed deadline costs the full timeout. A lost connection or a protocol error still disconnects it. | The runtime disconnects a plugin that misses the deadline. Until it is back, every request goes on without it. |
///
/// The policy covers every event that the plugin subscribes to, the stop and removal of containers too. It covers a
/// plugin only while it is connected: one that is gone before a request, or not yet back, fails nothing. For that,
/// runtimes have required plugins.
///
/// Runtimes know it from NRI 0.12.5 on. An older one ignores it, and does what the default says; ask
/// [`RuntimeInfo::honours_failure_policy`](crate::RuntimeInfo::honours_failure_policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct FailurePolicy {
    /// Whether a request that the plugin does not answer fails.
    pub fail_request: bool,
    /// Whether a plugin that does not answer in time stays connected.
    pub keep_connected: bool,
}

impl FailurePolicy {
    /// The first version of NRI that knows failure policies.
    pub(crate) const SINCE: Version = Version {
        major: 0,
        minor: 12,
        patch: 5,
    };

    /// Fails a request that the plugin does not answer.
    pub fn fail_request(mut self) -> Self {
        self.fail_request = true;
        self
    }

    /// Keeps a plugin that does not answer in time connected.
    pub fn keep_connected(mut self) -> Self {
        self.keep_connected = true;
        self
    }
}

/// The policy as in the protocol. The default is not sent, so that the runtime gets the same message as
/// before.
impl From<FailurePolicy> for api::MessageField<api::FailurePolicy> {
    fn from(policy: FailurePolicy) -> Self {
        let message = api::FailurePolicy {
            fail_request: policy.fail_request,
            keep_connected: policy.keep_connected,
            ..Default::default()
        };
        Some(message)
            .filter(|_| policy != FailurePolicy::default())
            .into()
    }
}

/// The policy of a message. Without one, it is the default.
impl From<api::MessageField<api::FailurePolicy>> for FailurePolicy {
    fn from(message: api::MessageField<api::FailurePolicy>) -> Self {
        let message = message.unwrap_or_default();
        Self {
            fail_request: message.fail_request,
            keep_connected: message.keep_connected,
        }
    }
}
