//! The context of an event: its time, the runtime, and a way to call the runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api;
use crate::infer;
use crate::runtime::RuntimeHandle;
use crate::subscription::FailurePolicy;
use crate::version::Version;

/// The request timeout of a runtime that does not report one: the default of every runtime.
pub(crate) const ASSUMED_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The metadata key of the time at which a request was received, in nanoseconds of the monotonic clock. A
/// proxy between the runtime and the plugin sets it. The time to answer begins then. If no time is left, a
/// decision is not made, since the proxy has answered. Every other event is still handled.
pub const RECEIVED_AT: &str = "nri-received-at";

/// The runtime, as far as it reported itself at Configure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// Its name, for instance `containerd` or `cri-o`.
    pub name: String,
    /// Its version, in any form: `2.1.9+unknown`, `1.7.24~ds1`.
    pub version: String,
    /// Its NRI version; reported since NRI 0.12. See [`RuntimeInfo::nri`] for that of older runtimes.
    pub nri_version: Option<Version>,
    /// The time limit for a plugin's registration; reported since NRI 0.7.
    pub registration_timeout: Option<Duration>,
    /// The time limit for a plugin's answer to an event; reported since NRI 0.7.
    pub request_timeout: Option<Duration>,
}

impl RuntimeInfo {
    /// A runtime with this name and version, and no other known property.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            ..Self::default()
        }
    }

    /// The NRI version that the runtime announced, or else the one of its name and version. `None` for a
    /// runtime with neither, for instance a development build.
    pub fn nri(&self) -> Option<Version> {
        self.nri_version
            .or_else(|| infer::nri_version(&self.name, &self.version))
    }

    /// Whether the runtime obeys the [`FailurePolicy`] of a plugin, by its NRI version. Every runtime that
    /// does reports its version.
    pub fn honours_failure_policy(&self) -> bool {
        self.nri_version
            .is_some_and(|version| version >= FailurePolicy::SINCE)
    }
}

/// The runtime and the configuration that it has for the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configuration {
    /// The configuration of a launched plugin, from the runtime's `conf.d`; empty for one that connected itself.
    pub config: String,
    /// The runtime.
    pub runtime: RuntimeInfo,
}

impl From<api::ConfigureRequest> for Configuration {
    fn from(request: api::ConfigureRequest) -> Self {
        let nri_version = match request.NRI_version.parse() {
            // Go's build information without a version.
            Ok(Version {
                major: 0, minor: 0, ..
            }) => None,
            Ok(version) => Some(version),
            Err(_) if ["", "(devel)"].contains(&&*request.NRI_version) => None,
            Err(error) => {
                tracing::warn!(%error, "the runtime announced an NRI version that cannot be read");
                None
            }
        };
        Self {
            config: request.config,
            runtime: RuntimeInfo {
                name: request.runtime_name,
                version: request.runtime_version,
                nri_version,
                registration_timeout: known_timeout(request.registration_timeout),
                request_timeout: known_timeout(request.request_timeout),
            },
        }
    }
}

/// A timeout in milliseconds; 0, and anything below, is "unknown".
fn known_timeout(millis: i64) -> Option<Duration> {
    u64::try_from(millis)
        .ok()
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
}

/// The context of an event.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) deadline: Instant,
    pub(crate) runtime: Arc<RuntimeInfo>,
    pub(crate) handle: RuntimeHandle,
}

impl Context {
    /// A context for the test of a handler: a runtime, and the time that the handler has. Its handle has no connection.
    pub fn new(runtime: RuntimeInfo, time: Duration) -> Self {
        Self {
            deadline: Instant::now() + time,
            runtime: Arc::new(runtime),
            handle: RuntimeHandle::new(),
        }
    }

    /// The time by which the handler must be done, a little before the runtime gives up. If the runtime reported no limit,
    /// it is a little less than 2 s, the default of every runtime.
    ///
    /// A handler that is not done by then is dropped at its next `await`, and the runtime gets an error. Work that
    /// outlives the event belongs into a task of its own, or a thread if it may block.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time until [`Context::deadline`]; zero if that has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The runtime that sent the event; empty before Configure.
    pub fn runtime(&self) -> &RuntimeInfo {
        &self.runtime
    }

    /// A way to call the runtime. It can be kept, and is valid over all connections of the plugin.
    pub fn handle(&self) -> &RuntimeHandle {
        &self.handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_the_runtime_does_not_report_are_unknown() {
        let configuration = Configuration::from(api::ConfigureRequest::default());
        assert_eq!(configuration, Configuration::default());
        let negative = api::ConfigureRequest {
            request_timeout: -1,
            ..Default::default()
        };
        assert_eq!(Configuration::from(negative).runtime.request_timeout, None);
    }

    #[test]
    fn timeouts_are_milliseconds() {
        let request = api::ConfigureRequest {
            registration_timeout: 5000,
            request_timeout: 2000,
            NRI_version: "v0.12.5".into(),
            ..Default::default()
        };
        let runtime = Configuration::from(request).runtime;
        assert_eq!(runtime.registration_timeout, Some(Duration::from_secs(5)));
        assert_eq!(runtime.request_timeout, Some(Duration::from_secs(2)));
        assert_eq!(runtime.nri_version, Some(crate::version::NRI_VERSION));
    }

    #[test]
    fn a_runtime_that_announces_nothing_has_the_version_of_its_release() {
        for announced in ["", "(devel)", "0.0.0-unknown", "v0.0.0-20260901120000-abcdef"] {
            let request = api::ConfigureRequest {
                runtime_name: "containerd".into(),
                runtime_version: "2.2.0".into(),
                NRI_version: announced.into(),
                ..Default::default()
            };
            let runtime = Configuration::from(request).runtime;
            assert_eq!(runtime.nri_version, None, "{announced}");
            assert_eq!(runtime.nri(), "v0.10.0".parse().ok(), "{announced}");
        }
    }

    #[test]
    fn failure_policies_count_from_nri_0_12_5_on() {
        let honours = |announced: &str| {
            let request = api::ConfigureRequest {
                NRI_version: announced.into(),
                ..Default::default()
            };
            Configuration::from(request).runtime.honours_failure_policy()
        };
        for version in ["v0.12.5", "v0.12.6", "v0.13.0", "v1.0.0"] {
            assert!(honours(version), "{version}");
        }
        for version in ["", "v0.12.4", "v0.9.9", "(devel)", "0.0.0-unknown"] {
            assert!(!honours(version), "{version}");
        }
    }

    #[test]
    fn a_version_that_cannot_be_read_counts_as_none() {
        let request = api::ConfigureRequest {
            NRI_version: "latest".into(),
            ..Default::default()
        };
        assert_eq!(Configuration::from(request).runtime.nri_version, None);
    }
}
