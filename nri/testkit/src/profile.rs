//! The differences between runtimes: names, versions, timeouts, and the rules of their NRI version.

use std::time::Duration;

use containerd_nri::{EventMask, Version};
use ttrpc::proto::MESSAGE_LENGTH_MAX;

use crate::frame::MAX_PAYLOAD;

/// A runtime to be imitated. Start from one of the presets and change the subject of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeProfile {
    /// Name of the runtime, as reported in Configure.
    pub runtime_name: String,
    /// Version of the runtime, as reported in Configure; real ones are seldom plain numbers.
    pub runtime_version: String,
    /// The version of NRI whose rules apply.
    pub nri: Version,
    /// The time limit from the connection to RegisterPlugin.
    pub registration_timeout: Duration,
    /// The time limit for one call; for Synchronize, for all of its messages together.
    pub request_timeout: Duration,
}

/// The NRI version with these numbers, of which the major one has always been 0.
const fn nri(minor: u32, patch: u32) -> Version {
    Version {
        major: 0,
        minor,
        patch,
    }
}

impl RuntimeProfile {
    fn containerd(runtime_version: &str, nri: Version) -> Self {
        Self::new("containerd", runtime_version, nri)
    }

    fn new(runtime_name: &str, runtime_version: &str, nri: Version) -> Self {
        Self {
            runtime_name: runtime_name.to_owned(),
            runtime_version: runtime_version.to_owned(),
            nri,
            registration_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(2),
        }
    }

    /// containerd 1.7.24, with NRI 0.6.1: no timeouts in Configure, Synchronize in one message of whatever length.
    pub fn containerd_1_7() -> Self {
        Self::containerd("1.7.24~ds1", nri(6, 1))
    }

    /// containerd 2.1.9, with NRI 0.8.0: timeouts in Configure, split Synchronize.
    pub fn containerd_2_1() -> Self {
        Self::containerd("2.1.9+unknown", nri(8, 0))
    }

    /// containerd 2.2.0, with NRI 0.10.0: pods can be updated, adjustments validated; no version reported.
    pub fn containerd_2_2_0() -> Self {
        Self::containerd("2.2.0+unknown", nri(10, 0))
    }

    /// containerd 2.2.7, with NRI 0.11.0.
    pub fn containerd_2_2() -> Self {
        Self::containerd("2.2.7+unknown", nri(11, 0))
    }

    /// containerd 2.3.4, with NRI 0.12.0: one RPC per event, versions reported both ways.
    pub fn containerd_2_3() -> Self {
        Self::containerd("2.3.4+unknown", nri(12, 0))
    }

    /// CRI-O 1.34, with NRI 0.10.0.
    pub fn crio_1_34() -> Self {
        Self::new("cri-o", "1.34.0", nri(10, 0))
    }

    /// CRI-O 1.35, with NRI 0.11.0.
    pub fn crio_1_35() -> Self {
        Self::new("cri-o", "1.35.0", nri(11, 0))
    }

    /// containerd's main branch after 2.4.0-beta.0, with NRI 0.12.2: one RPC per event, versions reported both ways.
    pub fn containerd_main() -> Self {
        Self::containerd("2.4.0-beta+unknown", nri(12, 2))
    }

    /// containerd 2.4.2 as built with NRI 0.12.5: plugins have a failure policy.
    pub fn containerd_2_4_nri_0_12_5() -> Self {
        Self::containerd("2.4.2+unknown", nri(12, 5))
    }

    /// The preset with the newest version of NRI.
    pub fn newest() -> Self {
        Self::containerd_2_4_nri_0_12_5()
    }

    /// All presets, oldest version of NRI first.
    pub fn all() -> Vec<Self> {
        vec![
            Self::containerd_1_7(),
            Self::containerd_2_1(),
            Self::containerd_2_2_0(),
            Self::crio_1_34(),
            Self::containerd_2_2(),
            Self::crio_1_35(),
            Self::containerd_2_3(),
            Self::containerd_main(),
            Self::containerd_2_4_nri_0_12_5(),
        ]
    }

    /// The events that a plugin may subscribe to.
    pub(crate) fn valid_events(&self) -> EventMask {
        EventMask::known_to(Some(self.nri))
    }

    /// Whether Configure carries the timeouts, and a Synchronize of over 4 MiB is split (0.7).
    pub(crate) fn sends_timeouts_and_splits(&self) -> bool {
        self.nri >= nri(7, 0)
    }

    /// The longest request that is sent. Runtimes with an older NRI than 0.7 have a ttrpc (before 1.2.6) that
    /// does not check the length.
    pub(crate) fn longest_request(&self) -> usize {
        match self.sends_timeouts_and_splits() {
            true => MESSAGE_LENGTH_MAX,
            false => usize::MAX,
        }
    }

    /// Whether a plugin that fails Synchronize is disconnected; before, it stayed and got no events.
    ///
    /// Seen with 0.8.0 and not with 0.6.1; the version in between is in no known release of containerd.
    pub(crate) fn closes_on_failed_synchronize(&self) -> bool {
        self.nri >= nri(8, 0)
    }

    /// Whether pods can be updated, and adjustments validated (0.10).
    pub(crate) fn validates_and_updates_pods(&self) -> bool {
        self.nri >= nri(10, 0)
    }

    /// Whether every event has an RPC of its own, names are checked, and Configure has the NRI version
    /// (0.12).
    pub(crate) fn has_rpc_per_event(&self) -> bool {
        self.nri >= nri(12, 0)
    }

    /// Whether the runtime supports the failure policy of a plugin (0.12.5).
    pub(crate) fn has_failure_policies(&self) -> bool {
        self.nri >= nri(12, 5)
    }

    /// The longest payload of a frame that is read (limited since 0.12.5).
    pub(crate) fn longest_payload(&self) -> Option<usize> {
        (self.nri >= nri(12, 5)).then_some(MAX_PAYLOAD)
    }

    /// Whether UpdateContainers waits for the current event, which deadlocks a handler that calls it (to
    /// 0.12.0).
    pub(crate) fn updates_wait_for_events(&self) -> bool {
        self.nri < nri(12, 1)
    }
}
