//! The abilities of this machine, found out rather than assumed.

use std::fs;
use std::io::{self, Write};

use anyhow::{Context, Result};

/// Exists where /sys/fs/cgroup is the unified hierarchy, and lists what that can limit.
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.controllers";

/// Exists where the kernel has AppArmor, and says whether it is on.
const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";

/// Bit of CAP_SYS_RESOURCE in the kernel's capability sets (capabilities(7)).
const CAP_SYS_RESOURCE: u64 = 1 << 24;

/// The properties of this machine that the configuration of a runtime depends on.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Whether a process may lower its `oom_score_adj`, which runtimes do for pods by default.
    pub may_lower_oom_score: bool,
    /// Whether /sys/fs/cgroup is the unified hierarchy (cgroup v2 alone).
    pub unified_cgroups: bool,
    /// Whether AppArmor can confine containers.
    pub has_apparmor: bool,
    /// Whether the unified hierarchy, if /sys/fs/cgroup is one, can limit memory.
    pub has_memory_controller: bool,
}

impl Host {
    /// Looks at this machine.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn detect() -> Result<Host> {
        let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
        let effective = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .context("/proc/self/status has no CapEff line")?;
        let effective = u64::from_str_radix(effective.trim(), 16).context("parse CapEff")?;
        let controllers = fs::read_to_string(CONTROLLERS).ok();
        Ok(Host {
            may_lower_oom_score: effective & CAP_SYS_RESOURCE != 0,
            unified_cgroups: controllers.is_some(),
            has_apparmor: fs::read_to_string(APPARMOR).is_ok_and(|enabled| enabled.trim() == "Y"),
            has_memory_controller: controllers
                .is_some_and(|names| names.split_whitespace().any(|name| name == "memory")),
        })
    }
}

/// Says that a case cannot be tested on this machine, and why, even where the output of cases that succeed is not
/// shown.
pub fn say_not_tested(case: &str, why: &str) {
    let _ = writeln!(io::stderr(), "NOT TESTED on this machine: {case}: {why}");
}
