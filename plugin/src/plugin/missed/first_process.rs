//! The init of a container that its runtime does not name yet.

use std::fs;

use crate::ledger::ProcessId;
use crate::runner::process;

/// The process that began first in the control group of the container `id`; none if there is none, or if the runtime
/// names control groups otherwise.
pub(super) fn first_in_group(id: &str) -> Option<ProcessId> {
    let numbers = fs::read_dir("/proc").ok()?;
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_in_group = |pid: &i32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"));
        groups.is_ok_and(|groups| are_of(&groups, id))
    };
    numbers
        .filter(is_in_group)
        .filter_map(process)
        .min_by_key(|process| process.started)
}

/// Whether control groups, as the kernel lists them, are of the container `id` or below: by containerd and CRI-O, with
/// systemd or without.
fn are_of(groups: &str, id: &str) -> bool {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let mut names = paths.flat_map(|path| path.split('/'));
    names.any(|name| {
        let scope = name.strip_suffix(".scope").and_then(|name| name.strip_suffix(id));
        // CRI-O's monitor is beside the container.
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
    fn a_container_that_is_not_there_has_no_init() {
        assert_eq!(first_in_group("no-container-has-this-id"), None);
    }
}
