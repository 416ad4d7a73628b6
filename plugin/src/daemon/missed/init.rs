//! Finds the init of a container that its runtime does not report yet.

use std::fs;

use crate::model::ProcessId;
use crate::process::{process, processes};

/// The init of the container `id`, by its control group: the first process of its namespace. `None` if there
/// is none yet, if the container has no process namespace of its own, or if the runtime names control groups
/// otherwise.
pub(super) fn init_in_group(id: &str) -> Option<ProcessId> {
    let read = |pid: i32, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let inits =
        processes().filter(|pid| are_of(&read(*pid, "cgroup"), id) && is_first(&read(*pid, "status")));
    // A container may contain containers of its own.
    inits.filter_map(process).min_by_key(|process| process.started)
}

/// Whether a process with this status is the first of a namespace within ours. The processes with which an
/// OCI runtime makes the init are in the control group before it, and end at once.
fn is_first(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = numbers.unwrap_or_default().split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

/// Whether control groups, as the kernel lists them, belong to the container `id` or are below it. The forms
/// are those of containerd and CRI-O, with systemd or without.
fn are_of(groups: &str, id: &str) -> bool {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let mut names = paths.flat_map(|path| path.split('/'));
    names.any(|name| {
        let scope = name.strip_suffix(".scope").and_then(|name| name.strip_suffix(id));
        // CRI-O's monitor has a control group beside the container's.
        name == id || scope.is_some_and(|prefix| prefix.ends_with('-') && !prefix.contains("conmon"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_group_of_a_container_ends_with_its_id() {
        let id = "0123456789abcdef";
        for groups in [
            "0::/kubepods/besteffort/pod1/0123456789abcdef",
            "0::/../../pod1/0123456789abcdef/init.scope",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123456789abcdef.scope",
            "0::/kubepods.slice/crio-0123456789abcdef.scope/container",
            "5:memory:/x\n1:name=systemd:/kubepods/pod1/0123456789abcdef\n0::/",
        ] {
            assert!(are_of(groups, id), "{groups}");
        }
        for groups in [
            "0::/",
            "",
            "0::/kubepods/pod0123456789abcdef/other",
            "0::/kubepods.slice/crio-conmon-0123456789abcdef.scope",
            "0::/kubepods/pod1/0123456789abcdef0",
            "0::/system.slice/0123456789abcdef.service",
        ] {
            assert!(!are_of(groups, id), "{groups}");
        }
    }

    #[test]
    fn a_container_that_does_not_exist_has_no_init() {
        assert_eq!(init_in_group("no-container-has-this-id"), None);
    }

    #[test]
    fn only_the_first_process_of_a_namespace_is_an_init() {
        assert!(is_first("Name:\tsh\nNSpid:\t4711\t1\n"));
        for status in [
            "Name:\trunc\nNSpid:\t4711\n",
            "NSpid:\t4711\t7\n",
            "NSpid:\t1\n",
            "",
        ] {
            assert!(!is_first(status), "{status}");
        }
    }
}
