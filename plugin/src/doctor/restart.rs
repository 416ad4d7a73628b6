//! Checks whether the runtime has read the last change of its configuration.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use nix::unistd::{SysconfVar, sysconf};

use super::examine::Examined;
use crate::model::{Timestamp, escaped_path};
use crate::node::{Finding, Kind, Settings};
use crate::process::{processes, stat::Stat};

/// Checks the runtimes' processes.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    if !examined.node.is_this_node() {
        return;
    }
    for settings in &examined.runtimes {
        let started = processes()
            .filter(|pid| is_runtime(*pid, settings))
            .filter_map(started);
        let changed = settings.files.iter().filter_map(|file| {
            let at = fs::metadata(examined.node.path(file)).ok()?.ctime();
            Some((file, u64::try_from(at).ok()?))
        });
        if let (Some(started), Some((file, changed))) = (started.min(), changed.max_by_key(|(_, at)| *at)) {
            findings.extend(needed(settings, started, file, changed));
        }
    }
}

/// The finding that the runtime was started before its file was changed. Both times are in seconds since
/// 1970.
pub(super) fn needed(settings: &Settings, started: u64, file: &Path, changed: u64) -> Option<Finding> {
    let service = match settings.kind {
        Kind::Containerd => "containerd",
        Kind::Crio => "crio",
    };
    let at = |seconds| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds)).to_the_millisecond();
    (changed > started).then(|| {
        let what = format!(
            "{} has run since {}, so it does not use {} as changed at {}",
            settings.kind.name(),
            at(started),
            escaped_path(file),
            at(changed)
        );
        let remedy = format!("run: systemctl restart {service}, which leaves containers running");
        Finding::warning("runtime-restart", what, remedy)
    })
}

/// Whether the process is the runtime of the node, and not another one with its own configuration.
fn is_runtime(pid: i32, settings: &Settings) -> bool {
    let name = match settings.kind {
        Kind::Containerd => "containerd",
        Kind::Crio => "crio",
    };
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let arguments = read("cmdline");
    let mut words = arguments.split('\0').skip(1);
    let has_own =
        words.any(|word| ["-c", "--config", "-config"].contains(&word.split('=').next().unwrap_or_default()));
    let of_main = settings
        .files
        .first()
        .is_some_and(|main| arguments.contains(&*main.to_string_lossy()));
    read("comm").trim_end() == name && (!has_own || of_main)
}

/// The start of a process, in seconds since 1970.
fn started(pid: i32) -> Option<u64> {
    let ticks = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let kernel = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = kernel
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .parse()
        .ok()?;
    // The second of its start, and the whole of the next: the time of the boot is rounded, too.
    Some(boot + Stat::of(pid)?.started / ticks + 1)
}
