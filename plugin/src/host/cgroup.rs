//! Leaving the control groups of a pod.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::HostError;

/// The group for runners in the unified hierarchy. Not its root: where the host is itself a container
/// (kind), that is a group as any other, and may have either processes or groups below it.
const GROUP: &str = "nri-oci-hooks";

const MOUNTS: &str = "/proc/self/mountinfo";

/// Moves this process out of the pod's control groups, of version 1 and 2.
///
/// # Errors
/// The kernel refuses.
pub(super) fn leave() -> Result<(), HostError> {
    let mounts = fs::read_to_string(MOUNTS).map_err(HostError::io("read", MOUNTS))?;
    for group in groups(&mounts) {
        match enter(&group) {
            // Another mount lies over this one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entered => entered.map_err(HostError::io("leave the pod's control group for", group))?,
        }
    }
    Ok(())
}

/// The group to enter in each hierarchy that `mounts` (proc_pid_mountinfo(5)) lists.
fn groups(mounts: &str) -> Vec<PathBuf> {
    let mut devices = BTreeSet::new();
    let hierarchies = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (device, point) = (fields.nth(2)?, fields.nth(1)?);
        let group = match kind.split(' ').next()? {
            "cgroup" => PathBuf::from(point),
            "cgroup2" => Path::new(point).join(GROUP),
            _ => return None,
        };
        devices.insert(device.to_owned()).then_some(group)
    });
    hierarchies.collect()
}

fn enter(group: &Path) -> io::Result<()> {
    if group.ends_with(GROUP) {
        match DirBuilder::new().mode(0o755).create(group) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // 0 is whoever writes it (cgroups(7)).
    fs::write(group.join("cgroup.procs"), "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hierarchy_is_left_once_and_nothing_else_is_taken_for_one() {
        let mounts = "\
22 1 8:1 / / rw - ext4 /dev/root rw
31 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw
33 31 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:28 / /mnt/memory rw - cgroup cgroup rw,memory
35 31 0:30 / /mnt/cgroup2 rw - tmpfs cgroup2 rw
odd
";
        assert_eq!(
            groups(mounts),
            [
                Path::new("/sys/fs/cgroup/unified/nri-oci-hooks"),
                Path::new("/sys/fs/cgroup/memory")
            ]
        );
    }
}
