//! Moves this process out of the control groups of a pod.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::HostError;

/// The group for runners in the unified hierarchy. It is not the root: if the host is itself a container
/// (kind), the root is a group as any other, and may have either processes or groups below it. It is not its
/// parent either, which limits the groups of hooks, and so may have no processes.
const GROUP: &str = "nri-oci-hooks/runner";

const MOUNTS: &str = "/proc/self/mountinfo";

/// Moves this process out of the pod's control groups, of version 1 and 2.
///
/// # Errors
/// The kernel refuses.
pub(super) fn leave() -> Result<(), HostError> {
    let mounts = fs::read_to_string(MOUNTS).map_err(HostError::io("read", MOUNTS))?;
    for groups in hierarchies(&mounts).into_values() {
        let mut refused = None;
        // One mount may be read-only, or below another.
        let left = groups.iter().any(|group| match enter(group) {
            Ok(()) => true,
            Err(error) => {
                refused.get_or_insert((group, error));
                false
            }
        });
        if let (false, Some((group, error))) = (left, refused) {
            return Err(HostError::io("leave the pod's control group for", group)(error));
        }
    }
    Ok(())
}

/// The group to join in each hierarchy in `mounts` (proc_pid_mountinfo(5)), by the hierarchy's device, once
/// for each mount.
fn hierarchies(mounts: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let mut hierarchies: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for line in mounts.lines() {
        let Some((mount, kind)) = line.split_once(" - ") else {
            continue;
        };
        let mut fields = mount.split(' ');
        let (Some(device), Some(point)) = (fields.nth(2), fields.nth(1)) else {
            continue;
        };
        let group = match kind.split(' ').next() {
            Some("cgroup") => PathBuf::from(point),
            Some("cgroup2") => Path::new(point).join(GROUP),
            _ => continue,
        };
        hierarchies.entry(device.to_owned()).or_default().push(group);
    }
    hierarchies
}

fn enter(group: &Path) -> io::Result<()> {
    if group.ends_with(GROUP) {
        DirBuilder::new().recursive(true).mode(0o755).create(group)?;
    }
    // 0 is the writing process itself (cgroups(7)).
    fs::write(group.join("cgroup.procs"), "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hierarchy_is_found_with_all_its_mounts_and_nothing_else_is_taken_for_one() {
        let mounts = "\
22 1 8:1 / / rw - ext4 /dev/root rw
31 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw
33 31 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:28 / /mnt/memory rw - cgroup cgroup rw,memory
35 31 0:30 / /mnt/cgroup2 rw - tmpfs cgroup2 rw
odd
";
        let found: Vec<Vec<PathBuf>> = hierarchies(mounts).into_values().collect();
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let unified = paths(&["/sys/fs/cgroup/unified/nri-oci-hooks/runner"]);
        let memory = paths(&["/sys/fs/cgroup/memory", "/mnt/memory"]);
        assert_eq!(found, [unified, memory]);
    }
}
