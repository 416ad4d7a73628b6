//! One control group: creating it, starting a process in it, ending its processes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::Signal;

use super::hierarchies::{Controller, Hierarchies, enable, existing, make, write};
use super::name::GroupName;
use crate::model::HookLimits;
use crate::process::signal;

/// The interval between checks whether the killed processes have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The maximum number of groups below a group that are read. A hook is root, and may create some.
const MAX_BELOW: usize = 1024;

/// Linux's value in version 1 for weight 100.
const SHARES_OF_100: u64 = 1024;

/// The control group of one hook.
#[derive(Debug)]
pub(crate) struct Group {
    name: GroupName,
    /// Its directory in the hierarchy of version 2.
    unified: Option<PathBuf>,
    /// Its directories in hierarchies of version 1.
    version_1: BTreeMap<Controller, PathBuf>,
    /// The limits that are not enforced, and why.
    faults: Vec<String>,
}

/// The files for starting a process in a group.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The directory in the hierarchy of version 2.
    pub(crate) directory: Option<File>,
    /// The file there that adds the process that writes `0` to it (cgroups(7)).
    pub(crate) unified: Option<File>,
    /// The files in the hierarchies of version 1 that add the thread that writes `0` to them.
    pub(crate) version_1: Vec<File>,
}

impl Group {
    /// Creates a group with `limits`. A limit that the node cannot enforce is among its faults.
    ///
    /// # Errors
    /// The node has no usable control groups.
    pub(crate) fn create(name: GroupName, limits: HookLimits) -> io::Result<Group> {
        Group::create_in(&Hierarchies::find(), name, limits)
    }

    pub(super) fn create_in(
        hierarchies: &Hierarchies,
        name: GroupName,
        limits: HookLimits,
    ) -> io::Result<Group> {
        let mut group = Group {
            unified: None,
            version_1: BTreeMap::new(),
            faults: Vec::new(),
            name,
        };
        let mut refused = io::ErrorKind::NotFound.into();
        if let Some(root) = &hierarchies.unified {
            match make(root, group.name.as_str()) {
                Ok(path) => group.unified = Some(path),
                Err(error) => refused = error,
            }
        }
        for controller in wanted(limits) {
            if let Err(error) = group.limit(hierarchies, controller, limits) {
                let fault = format!("cannot limit {}: {error}", controller.subject());
                group.faults.push(fault);
                refused = error;
            }
        }
        if group.unified.is_none() && group.version_1.is_empty() {
            return Err(refused);
        }
        Ok(group)
    }

    /// The group called `name`, if it exists: its creator may have died.
    pub(crate) fn find(name: GroupName) -> Option<Group> {
        let hierarchies = Hierarchies::find();
        let of = |root: &PathBuf| existing(root, name.as_str());
        let group = Group {
            unified: hierarchies.unified.as_ref().and_then(of),
            version_1: hierarchies
                .version_1
                .iter()
                .filter_map(|(controller, root)| Some((*controller, of(root)?)))
                .collect(),
            faults: Vec::new(),
            name,
        };
        (group.unified.is_some() || !group.version_1.is_empty()).then_some(group)
    }

    fn limit(
        &mut self,
        hierarchies: &Hierarchies,
        controller: Controller,
        limits: HookLimits,
    ) -> io::Result<()> {
        // A controller is in one hierarchy, whatever its version.
        if let Some(root) = hierarchies.version_1.get(&controller) {
            let path = make(root, self.name.as_str())?;
            self.version_1.insert(controller, path.clone());
            for (file, value, is_needed) in version_1_values(controller, limits) {
                write(&path.join(file), &value).or_else(|error| ok_unless(is_needed, error))?;
            }
            return Ok(());
        }
        let (Some(root), Some(path)) = (&hierarchies.unified, &self.unified) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        for (file, value, is_needed) in version_2_values(controller, limits) {
            let path = path.join(file);
            let written = write(&path, &value).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound if is_needed => {
                    enable(root, controller)?;
                    write(&path, &value)
                }
                _ => Err(error),
            });
            written.or_else(|error| ok_unless(is_needed, error))?;
        }
        Ok(())
    }

    /// The limits that are not enforced, and why; empty if all are enforced.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Its directories.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.unified
            .iter()
            .chain(self.version_1.values())
            .map(PathBuf::as_path)
    }

    /// Opens the files for starting a process in it.
    ///
    /// # Errors
    /// It has been removed.
    pub(crate) fn entrance(&self) -> io::Result<Entrance> {
        let open = |path: &PathBuf, file| OpenOptions::new().write(true).open(path.join(file));
        let procs = |path| open(path, "cgroup.procs");
        // A process of one thread can join through either file. With the other one, the kernel waits for a
        // quiet moment of every processor: some 12 ms (cgroup_procs_write_start, since Linux 5.4).
        let tasks = |path| open(path, "tasks");
        Ok(Entrance {
            directory: self.unified.as_ref().map(File::open).transpose()?,
            unified: self.unified.as_ref().map(procs).transpose()?,
            version_1: self.version_1.values().map(tasks).collect::<io::Result<_>>()?,
        })
    }

    /// Kills all processes in it, and waits until they have ended, at most `limit`. Returns how many have
    /// not: the kernel ends those when it can.
    pub(crate) fn kill(&self, limit: Duration) -> usize {
        let give_up = Instant::now() + limit;
        if self.kill_at_once()
            && let Some(path) = &self.unified
        {
            // Checking each of a thousand ending processes would only delay them. Fails only if the group was removed.
            let _ = await_end(path, give_up);
        }
        loop {
            let left = self.members();
            if left.is_empty() || Instant::now() >= give_up {
                return left.len();
            }
            for pid in left {
                // Fails only if the process has just ended.
                let _ = signal::send_if(pid, Signal::KILL, || self.has(pid));
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// Kills all its processes in one call to the kernel (Linux 5.14), and returns true. On older kernels, it
    /// ensures that no more processes are started: then they can be counted, and killed one by one.
    fn kill_at_once(&self) -> bool {
        let kill = |path: &PathBuf| write(&path.join("cgroup.kill"), "1");
        if self.unified.as_ref().is_some_and(|path| kill(path).is_ok()) {
            return true;
        }
        if let Some(path) = self.path_of(Controller::Pids) {
            // Fails only if the group was removed, or never had that limit.
            let _ = write(&path.join("pids.max"), "0");
        }
        false
    }

    /// The processes in it that have not ended.
    pub(super) fn members(&self) -> Vec<i32> {
        let mut members: Vec<i32> = self
            .directories()
            .filter(|path| is_populated(path))
            .flat_map(tree)
            .flat_map(|path| processes(&path))
            .collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Whether the process with this number is in it.
    fn has(&self, pid: i32) -> bool {
        let name = self.name.as_str();
        fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(name))
    }

    /// The number of processes in it that were killed because its memory was used up.
    pub(crate) fn out_of_memory(&self) -> u64 {
        let path = self.path_of(Controller::Memory);
        let file = if self.version_1.contains_key(&Controller::Memory) {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        path.map_or(0, |path| number(&path.join(file), "oom_kill"))
    }

    /// The number of attempts to start a process in it that failed because of its limit.
    pub(crate) fn out_of_processes(&self) -> u64 {
        let path = self.path_of(Controller::Pids);
        path.map_or(0, |path| number(&path.join("pids.events"), "max"))
    }

    /// Its directory in the hierarchy of `controller`.
    fn path_of(&self, controller: Controller) -> Option<&Path> {
        let path = self.version_1.get(&controller).or(self.unified.as_ref());
        path.map(PathBuf::as_path)
    }

    /// Whether it has no living process.
    pub(crate) fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Removes it if it is empty; a group with leftover processes stays. Returns whether it is gone.
    pub(crate) fn remove(&self) -> bool {
        // Fails if there are processes in it.
        let is_left = |path: &&Path| remove_tree(path).is_err();
        self.directories().filter(is_left).count() == 0
    }
}

#[cfg(test)]
impl Group {
    /// A group of version 2 for tests, whose files are below `root`. The kernel knows nothing of it.
    pub(crate) fn for_test(root: &Path, name: GroupName, limits: HookLimits) -> Group {
        let hierarchies = Hierarchies {
            unified: Some(root.to_owned()),
            version_1: BTreeMap::new(),
        };
        Group::create_in(&hierarchies, name, limits).unwrap()
    }
}

impl Controller {
    /// The resource that it limits.
    fn subject(self) -> &'static str {
        match self {
            Controller::Pids => "processes",
            Controller::Memory => "memory",
            Controller::Cpu => "processor time",
        }
    }
}

/// The controllers that `limits` need.
fn wanted(limits: HookLimits) -> impl Iterator<Item = Controller> {
    let is_wanted = move |controller: &Controller| match controller {
        Controller::Pids => true,
        Controller::Memory => limits.memory.is_some(),
        Controller::Cpu => limits.cpu_weight.is_some(),
    };
    Controller::ALL.into_iter().filter(is_wanted)
}

/// The values for each file, and whether the limit fails without the file (cgroup-v2.rst).
fn version_2_values(controller: Controller, limits: HookLimits) -> Vec<(&'static str, String, bool)> {
    match controller {
        Controller::Pids => vec![("pids.max", limits.processes.to_string(), true)],
        Controller::Memory => limits.memory.map_or_else(Vec::new, |memory| {
            vec![
                ("memory.max", memory.to_string(), true),
                // Swap would add to the memory. The file is absent if the kernel has no swap.
                ("memory.swap.max", "0".to_owned(), false),
                // A hook without some of its processes is worse than none.
                ("memory.oom.group", "1".to_owned(), false),
            ]
        }),
        Controller::Cpu => limits
            .cpu_weight
            .map_or_else(Vec::new, |weight| vec![("cpu.weight", weight.to_string(), true)]),
    }
}

/// The same for version 1 (cgroup-v1/memory.rst).
fn version_1_values(controller: Controller, limits: HookLimits) -> Vec<(&'static str, String, bool)> {
    match controller {
        Controller::Pids => version_2_values(controller, limits),
        Controller::Memory => limits.memory.map_or_else(Vec::new, |memory| {
            vec![
                ("memory.limit_in_bytes", memory.to_string(), true),
                // Memory and swap together. The file is absent unless the kernel accounts swap.
                ("memory.memsw.limit_in_bytes", memory.to_string(), false),
            ]
        }),
        Controller::Cpu => limits.cpu_weight.map_or_else(Vec::new, |weight| {
            let shares = u64::from(weight.get()) * SHARES_OF_100 / 100;
            vec![("cpu.shares", shares.max(2).to_string(), true)]
        }),
    }
}

fn ok_unless(is_needed: bool, error: io::Error) -> io::Result<()> {
    if is_needed { Err(error) } else { Ok(()) }
}

/// Whether a living process is in the group at `path` or below it. True for version 1, which cannot be asked.
fn is_populated(path: &Path) -> bool {
    !fs::read_to_string(path.join("cgroup.events")).is_ok_and(|events| reports_end(&events))
}

/// Whether `events` reports that every process has ended (cgroup-v2.rst).
fn reports_end(events: &str) -> bool {
    events.lines().any(|line| line == "populated 0")
}

/// Waits until every process in the group of version 2 at `path` and below it has ended, at most until `give_up`.
/// The kernel reports that as a change of the file.
fn await_end(path: &Path, give_up: Instant) -> io::Result<()> {
    let mut file = File::open(path.join("cgroup.events"))?;
    let mut events = String::new();
    loop {
        file.rewind()?;
        events.clear();
        file.read_to_string(&mut events)?;
        let left = give_up.saturating_duration_since(Instant::now());
        if reports_end(&events) || left.is_zero() {
            return Ok(());
        }
        let mut changes = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
        poll(
            &mut changes,
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
        )?;
    }
}

/// The group at `path` and those below it, each after its parent.
fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).filter(|_| found.len() < MAX_BELOW) {
        let listed = fs::read_dir(path).into_iter().flatten().flatten();
        let below = listed.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let below: Vec<_> = below.map(|entry| entry.path()).collect();
        found.extend(below);
        next += 1;
    }
    found
}

/// The processes in the group at `path`, as numbered for this process: 0 for one in another PID namespace.
fn processes(path: &Path) -> Vec<i32> {
    let listed = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let pids = listed.lines().filter_map(|line| line.parse().ok());
    pids.filter(|pid| *pid > 0).collect()
}

/// The number after `key` in a file of keys and numbers; 0 if it is missing.
fn number(path: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    let found = pairs.find(|(name, _)| *name == key);
    found.and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// Removes the group at `path`, and those below it, unless there are processes in one.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {}
        _ => return Ok(()),
    }
    tree(path).iter().rev().try_for_each(fs::remove_dir)
}
