//! Killing everything that a process has started, however it has hidden.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use super::stat::Stat;

/// How long the killing may take. A process that the kernel cannot end by then (it waits for a
/// device) has its SIGKILL and ends when it can.
const LIMIT: Duration = Duration::from_millis(300);

/// How often is looked whether the killed are gone.
const LOOK: Duration = Duration::from_millis(1);

/// Kills everything below this process, which must be the reaper of its descendants
/// (PR_SET_CHILD_SUBREAPER): then nothing leaves by double fork or by a session of its own.
pub(super) fn kill_all() {
    let give_up = Instant::now() + LIMIT;
    // First all are stopped, until no new one is found: what is stopped starts nothing more.
    let mut stopped = Vec::new();
    loop {
        let new: Vec<Pid> = living()
            .into_iter()
            .filter(|pid| !stopped.contains(pid))
            .collect();
        if new.is_empty() || Instant::now() >= give_up {
            break;
        }
        new.iter().for_each(|pid| send(*pid, Signal::SIGSTOP));
        stopped.extend(new);
    }
    loop {
        let left = living();
        // What has ended is ours to take in: its own parents have ended too.
        reap();
        if left.is_empty() || Instant::now() >= give_up {
            return;
        }
        left.iter().for_each(|pid| send(*pid, Signal::SIGKILL));
        sleep(LOOK);
    }
}

/// Takes in the exit of every child that has ended. Returns those.
pub(super) fn reap() -> Vec<WaitStatus> {
    let any = || waitpid(None, Some(WaitPidFlag::WNOHANG)).ok();
    std::iter::from_fn(any)
        .take_while(|status| *status != WaitStatus::StillAlive)
        .collect()
}

/// The descendants of this process that have not ended.
fn living() -> Vec<Pid> {
    let processes = processes();
    let below = |mut pid: i32| {
        // A chain of parents is shorter than the number of processes; what is longer has changed
        // while it was read.
        for _ in 0..processes.len() {
            match processes.get(&pid) {
                Some(stat) if stat.parent == getpid().as_raw() => return true,
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    let living = processes.iter().filter(|(_, stat)| !stat.has_ended());
    let living = living.map(|(pid, _)| *pid).filter(|pid| below(*pid));
    living.map(Pid::from_raw).collect()
}

/// Every process of the node, by number.
fn processes() -> BTreeMap<i32, Stat> {
    let Ok(listed) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    let numbers = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid| Some((pid, Stat::of(pid)?))).collect()
}

fn send(pid: Pid, signal: Signal) {
    // Fails only if it has just gone.
    let _ = kill(pid, signal);
}
