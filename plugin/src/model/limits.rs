//! What one hook may take of the node.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

/// What one hook may take of the node, with everything that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct HookLimits {
    /// How many processes and threads there may be at once.
    pub processes: NonZeroU32,
    /// How much memory it may use, in bytes; any amount if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<NonZeroU64>,
    /// Its share of processor time where that is scarce, from 1 to [`HookLimits::MAX_CPU_WEIGHT`];
    /// that of any other control group, 100, if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<NonZeroU16>,
}

impl HookLimits {
    /// How many processes and threads a hook may have unless the configuration says otherwise.
    pub const DEFAULT_PROCESSES: NonZeroU32 = NonZeroU32::new(1024).unwrap();

    /// The most processes that a limit can allow: Linux has no more (PID_MAX_LIMIT).
    pub const MAX_PROCESSES: u32 = 4 * 1024 * 1024;

    /// The least memory that a limit can allow, in bytes: with less, no program starts.
    pub const MIN_MEMORY: u64 = 1024 * 1024;

    /// The largest weight (cgroup-v2.rst, "cpu.weight").
    pub const MAX_CPU_WEIGHT: u16 = 10_000;
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
