//! Real groups in the hierarchies of this machine, which require root.

use std::fs;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::hierarchies::{Controller, Hierarchies};
use super::sweep::sweep_below;
use super::{Group, GroupName};
use crate::model::{HookLimits, Stage, Timestamp};

/// Longer than any killed process takes to end, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

const NONE: Duration = Duration::ZERO;

fn name() -> GroupName {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let index = NEXT.fetch_add(1, Ordering::Relaxed);
    GroupName::new("test", Stage::Prestart, index, Timestamp::now().unix_nanos())
}

/// A group and its processes, which end with it.
struct Made {
    group: Group,
    children: Vec<Child>,
}

impl Made {
    fn new(hierarchies: &Hierarchies, limits: HookLimits) -> Made {
        Made {
            group: Group::create_in(hierarchies, name(), limits).unwrap(),
            children: Vec::new(),
        }
    }

    /// Starts a process in it, or in the group `below` in it.
    fn start(&mut self, below: &str) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        for directory in self.group.directories() {
            let directory = directory.join(below);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("cgroup.procs"), child.id().to_string()).unwrap();
        }
        self.children.push(child);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(self.group.remove(), "{:?} stays", self.group);
    }
}

/// The hierarchies of this machine, and those that it would have without version 2.
fn each() -> Vec<Hierarchies> {
    let found = Hierarchies::find();
    let mut each = vec![found.clone()];
    if found.version_1.contains_key(&Controller::Pids) && found.unified.is_some() {
        each.push(Hierarchies {
            unified: None,
            ..found
        });
    }
    each
}

#[test]
fn killing_a_group_ends_everything_in_it_and_below_it_and_nothing_else() {
    for hierarchies in each() {
        let mut other = Made::new(&hierarchies, HookLimits::default());
        other.start("");
        let mut made = Made::new(&hierarchies, HookLimits::default());
        made.start("a/b");
        made.start("a/c");
        assert!(!made.group.is_empty());
        assert_eq!(made.group.kill(LONG), 0);
        assert!(made.group.is_empty());
        assert!(!other.group.is_empty());
        assert_eq!(other.children[0].try_wait().unwrap(), None);
    }
}

/// The number of runs of a test with multiplying processes; `NRI_OCI_HOOKS_TEST_RUNS` raises it.
fn runs() -> usize {
    let runs = std::env::var("NRI_OCI_HOOKS_TEST_RUNS").ok();
    runs.and_then(|runs| runs.parse().ok()).unwrap_or(2)
}

/// The group's own limit bounds the test, and a clock ends it in any case.
#[test]
fn killing_a_group_ends_all_processes_that_multiply_in_it() {
    let limits = HookLimits {
        processes: NonZeroU32::new(256).unwrap(),
        ..HookLimits::default()
    };
    for hierarchies in each() {
        for _ in 0..runs() {
            let group = Group::create_in(&hierarchies, name(), limits).unwrap();
            let bound: Vec<_> = group.directories().map(|path| path.join("pids.max")).collect();
            assert!(bound.iter().any(|bound| bound.exists()), "nothing would bound it");
            let mut script = String::new();
            for directory in group.directories() {
                script += &format!("echo $$ >{}/cgroup.procs\n", directory.display());
            }
            // Each process ends after a minute. `ulimit -t` would count processor time.
            script += "b(){ [ $(date +%s) -gt $end ] || b|b& };end=$(($(date +%s)+60));b\n";
            let mut bomb = Command::new("sh");
            // Each process that cannot fork says so.
            bomb.args(["-ec", &script]).stderr(Stdio::null());
            let mut bomb = bomb.spawn().unwrap();
            while group.out_of_processes() == 0 && group.members().len() < 100 {
                std::thread::yield_now();
            }
            assert_eq!(group.kill(LONG), 0);
            assert!(group.is_empty());
            bomb.wait().unwrap();
            assert!(group.remove());
        }
    }
}

#[test]
fn a_group_is_removed_with_those_below_it_when_it_has_no_processes() {
    for hierarchies in each() {
        let mut made = Made::new(&hierarchies, HookLimits::default());
        made.start("a/b");
        assert!(!made.group.remove());
        made.group.kill(LONG);
        assert!(made.group.remove());
        assert!(made.group.directories().all(|directory| !directory.exists()));
        assert!(made.group.remove(), "one that is gone is removed");
    }
}

#[test]
fn a_sweep_removes_empty_groups_of_hooks_that_are_old_enough_and_nothing_else() {
    // A private directory in a hierarchy, so that the groups of others are not touched.
    let hierarchies = Hierarchies::find();
    let root = hierarchies
        .version_1
        .values()
        .chain(&hierarchies.unified)
        .next()
        .unwrap();
    let own = root.join(format!("test-of-a-sweep-{}", std::process::id()));
    let hierarchies = Hierarchies {
        unified: None,
        version_1: [(Controller::Pids, own.clone())].into(),
    };
    fs::create_dir(&own).unwrap();
    let parent = hierarchies.parents().next().unwrap();
    let empty = parent.join(name().as_str());
    let full = parent.join(name().as_str());
    let foreign = parent.join("runner");
    for directory in [&empty.join("below"), &full, &foreign] {
        fs::create_dir_all(directory).unwrap();
    }
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(full.join("cgroup.procs"), child.id().to_string()).unwrap();
    let there = || [&empty, &full, &foreign].map(|directory| directory.exists());
    sweep_below(&parent, LONG);
    let after_young = there();
    sweep_below(&parent, NONE);
    let after_old = there();

    child.kill().unwrap();
    child.wait().unwrap();
    super::group::remove_tree(&own).unwrap();
    assert_eq!(after_young, [true; 3]);
    assert_eq!(after_old, [false, true, true]);
}

#[test]
fn every_limit_is_written_where_the_kernel_reads_it() {
    let limits = HookLimits {
        processes: NonZeroU32::new(77).unwrap(),
        memory: NonZeroU64::new(64 << 20),
        cpu_weight: NonZeroU16::new(200),
    };
    let made = Made::new(&Hierarchies::find(), limits);
    assert_eq!(made.group.faults(), [""; 0]);
    let read = |file: &str| {
        let mut found = made
            .group
            .directories()
            .filter_map(|directory| fs::read_to_string(directory.join(file)).ok());
        found.next().map(|text| text.trim().to_owned())
    };
    assert_eq!(read("pids.max").unwrap(), "77");
    let memory = read("memory.max").or_else(|| read("memory.limit_in_bytes"));
    assert_eq!(memory.unwrap(), (64 << 20).to_string());
    let weight = read("cpu.weight").or_else(|| read("cpu.shares"));
    assert!(["200", "2048"].contains(&weight.unwrap().as_str()));
}

#[test]
fn a_limit_that_the_node_cannot_enforce_is_a_fault_of_a_group_that_can_still_be_killed() {
    let found = Hierarchies::find();
    if found.version_1.is_empty() {
        // This machine can.
        return;
    }
    let without = Hierarchies {
        version_1: [].into(),
        ..found
    };
    let mut made = Made::new(&without, HookLimits::default());
    assert_eq!(made.group.faults().len(), 1, "{:?}", made.group.faults());
    assert!(made.group.faults()[0].starts_with("cannot limit processes: "));
    made.start("");
    assert_eq!(made.group.kill(LONG), 0);
}

#[test]
fn without_control_groups_there_is_no_group() {
    let none = Hierarchies {
        unified: None,
        version_1: [].into(),
    };
    assert!(Group::create_in(&none, name(), HookLimits::default()).is_err());
}

#[test]
fn a_group_is_found_again_by_its_name() {
    let name = name();
    assert!(Group::find(name.clone()).is_none());
    let mut made = Made {
        group: Group::create(name.clone(), HookLimits::default()).unwrap(),
        children: Vec::new(),
    };
    made.start("");
    assert_eq!(Group::find(name).unwrap().kill(LONG), 0);
    assert!(made.group.is_empty());
}
