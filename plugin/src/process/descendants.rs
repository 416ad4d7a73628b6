//! Kills all descendants of a process, in any session or process group.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::Signal;

use super::stat::Stat;
use super::{processes, signal};

/// The maximum time for stopping processes that start others as fast as they are stopped.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// The maximum wait for the end of the killed processes. A process that the kernel cannot end by then (it
/// waits for a device) has its SIGKILL and ends when it can.
const END_TIMEOUT: Duration = Duration::from_millis(300);

/// The interval between checks whether they have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Kills all descendants of the process `root`, which must be their reaper (PR_SET_CHILD_SUBREAPER): then
/// none escapes by double fork or by a session of its own. Returns how many of them have not ended yet.
pub(crate) fn kill_all(root: Pid) -> usize {
    // If its group was killed, only this is left to do. Checking each process takes longer.
    reap();
    // First all are stopped, until no new one is found: stopped processes start no others.
    let give_up = Instant::now() + STOP_TIMEOUT;
    let mut stopped = BTreeMap::new();
    loop {
        let before = stopped.len();
        for (pid, started) in living(root) {
            if stopped.insert(pid, started) != Some(started) {
                send(pid, started, Signal::STOP);
            }
        }
        if stopped.len() == before || Instant::now() >= give_up {
            break;
        }
    }
    // Each gets its SIGKILL, however long it took to find it: the time limit is for the wait only.
    let give_up = Instant::now() + END_TIMEOUT;
    loop {
        let left = living(root);
        for (pid, started) in &left {
            send(*pid, *started, Signal::KILL);
        }
        // Ended descendants are reparented to this process, because their own parents have ended too.
        reap();
        if left.is_empty() || Instant::now() >= give_up {
            return living(root).len();
        }
        sleep(POLL_INTERVAL);
    }
}

/// Reaps every child that has ended, and returns them.
pub(crate) fn reap() -> Vec<WaitStatus> {
    let any = || waitpid(None, Some(WaitPidFlag::WNOHANG)).ok();
    std::iter::from_fn(any)
        .take_while(|status| *status != WaitStatus::StillAlive)
        .collect()
}

/// The living descendants of `root`, with their start times.
fn living(root: Pid) -> BTreeMap<i32, u64> {
    let below = below(root).unwrap_or_else(|| below_by_parents(root));
    let living = below.into_iter().filter_map(|pid| {
        let stat = Stat::of(pid).filter(|stat| !stat.has_ended())?;
        Some((pid, stat.started))
    });
    living.collect()
}

/// The descendants of `root` by the kernel's lists of children. The time depends on their number alone, not
/// on the processes of the node. `None` if this kernel has no such lists (CONFIG_PROC_CHILDREN).
fn below(root: Pid) -> Option<Vec<i32>> {
    let mut found = children(root.as_raw())?;
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        // If it has just ended, its children belong to the root: the next check finds them.
        found.extend(children(*pid).unwrap_or_default());
        next += 1;
    }
    Some(found)
}

/// The children of all threads of a process.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let listed = fs::read_to_string(task.ok()?.path().join("children")).ok()?;
        found.extend(listed.split(' ').filter_map(|child| child.parse::<i32>().ok()));
    }
    Some(found)
}

/// The descendants of `root`, found through the parents of all processes of the node.
fn below_by_parents(root: Pid) -> Vec<i32> {
    // Every process of the node, with its parent.
    let parent = |pid: i32| Some((pid, Stat::of(pid)?.parent));
    let processes: BTreeMap<i32, i32> = processes().filter_map(parent).collect();
    let mut below = BTreeMap::from([(root.as_raw(), true)]);
    for pid in processes.keys() {
        let mut way = Vec::new();
        let mut at = *pid;
        // A chain of parents is shorter than the number of processes; a longer one has changed while it was
        // read.
        let is_below = loop {
            if let Some(known) = below.get(&at) {
                break *known;
            }
            way.push(at);
            match processes.get(&at) {
                Some(parent) if way.len() <= processes.len() => at = *parent,
                _ => break false,
            }
        };
        below.extend(way.into_iter().map(|pid| (pid, is_below)));
    }
    let found = below.into_iter().filter(|(_, is_below)| *is_below);
    found
        .map(|(pid, _)| pid)
        .filter(|pid| *pid != root.as_raw())
        .collect()
}

fn send(pid: i32, started: u64, signal: Signal) {
    // Fails only if the process has just ended.
    let _ = signal::send(pid, started, signal);
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use nix::unistd::getpid;

    use super::*;

    #[test]
    fn descendants_are_found_by_their_parents_as_well_as_by_the_kernels_lists() {
        let script = "sh -c 'sleep 1000 & echo $$ $!; wait'; :";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let mut tree: Vec<i32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        tree.push(shell.id().try_into().unwrap());
        if let Some(listed) = below(getpid()) {
            assert!(
                tree.iter().all(|pid| listed.contains(pid)),
                "{tree:?} in {listed:?}"
            );
        }
        let found = below_by_parents(getpid());
        assert!(
            tree.iter().all(|pid| found.contains(pid)),
            "{tree:?} in {found:?}"
        );
        assert!(!found.contains(&getpid().as_raw()) && !found.contains(&1));
        for pid in tree {
            send(pid, Stat::of(pid).unwrap().started, Signal::KILL);
        }
        shell.wait().unwrap();
    }
}
