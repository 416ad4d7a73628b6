//! The maximum time that a hook may run.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The maximum time that a hook may run: whole seconds, at least 1 (iSulad's rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeout(NonZeroU32);

impl Timeout {
    /// The default for a hook without `timeout`: 30 seconds (iSulad's rule).
    pub const DEFAULT: Timeout = Timeout(NonZeroU32::new(30).unwrap());

    /// The largest timeout, which still fits an `int` of the OCI runtimes.
    pub(crate) const MAX_SECONDS: u32 = i32::MAX as u32;

    /// A timeout of `seconds`; `None` unless it is between 1 and `Timeout::MAX_SECONDS`.
    pub fn from_seconds(seconds: u32) -> Option<Timeout> {
        NonZeroU32::new(seconds)
            .filter(|s| s.get() <= Self::MAX_SECONDS)
            .map(Timeout)
    }

    /// The timeout in seconds.
    pub fn seconds(self) -> u32 {
        self.0.get()
    }

    /// The timeout as a duration.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.get().into())
    }
}
