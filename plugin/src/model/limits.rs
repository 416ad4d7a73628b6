//! The share of the node that one hook may use.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

/// The share of the node that one hook may use, with all processes that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HookLimits {
    /// The maximum number of processes and threads at once.
    pub processes: NonZeroU32,
    /// The maximum memory in bytes; unlimited if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<NonZeroU64>,
    /// Its share of processor time where that is scarce, from 1 to `HookLimits::MAX_CPU_WEIGHT`. If unset,
    /// it is 100, as for any other control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<NonZeroU16>,
}

impl HookLimits {
    /// The maximum number of processes and threads, unless the configuration sets another.
    pub(crate) const DEFAULT_PROCESSES: NonZeroU32 = NonZeroU32::new(1024).unwrap();

    /// The largest limit on processes: Linux has no more (PID_MAX_LIMIT).
    pub(crate) const MAX_PROCESSES: u32 = 4 * 1024 * 1024;

    /// The smallest limit on memory in bytes: with less, no program starts.
    pub(crate) const MIN_MEMORY: u64 = 1024 * 1024;

    /// The largest weight (cgroup-v2.rst, "cpu.weight").
    pub(crate) const MAX_CPU_WEIGHT: u16 = 10_000;
}

impl Default for HookLimits {
    fn default() -> Self {
        HookLimits {
            processes: HookLimits::DEFAULT_PROCESSES,
            memory: None,
            cpu_weight: None,
        }
    }
}
