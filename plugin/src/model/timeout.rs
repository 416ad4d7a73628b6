//! How long a hook may run.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a hook may run: whole seconds, at least 1 (iSulad's rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeout(NonZeroU32);

impl Timeout {
    /// What a hook without `timeout` gets: 30 seconds (iSulad's).
    pub const DEFAULT: Timeout = Timeout(NonZeroU32::new(30).unwrap());

    /// The longest: what still fits an `int` of the OCI runtimes.
    pub const MAX_SECONDS: u32 = i32::MAX as u32;

    /// A time-out of `seconds`; `None` unless it is between 1 and [`Timeout::MAX_SECONDS`].
    pub fn from_seconds(seconds: u32) -> Option<Timeout> {
        NonZeroU32::new(seconds)
            .filter(|s| s.get() <= Self::MAX_SECONDS)
            .map(Timeout)
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0.get()
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.get().into())
    }
}
