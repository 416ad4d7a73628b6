//! Enters the host's namespaces, which are those of its init.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::parent_id;
use std::path::Path;

use nix::sched::{CloneFlags, setns};

use super::{HostError, cgroup};

/// Enters the host's mount namespace: from now on every path is the host's. `landmark` is a directory of the
/// host that the pod has mounted under its own path. If it is the same directory afterwards, this is the
/// host, and not some other init.
///
/// Call this while this process has one thread: the kernel refuses it with several. On the host itself it
/// does nothing.
///
/// # Errors
/// The pod is not allowed to do this, or its init is not the host's.
pub(crate) fn enter_mounts(landmark: &Path) -> Result<(), HostError> {
    // In a pod with its own PID namespace, the first process is this one, or its front.
    if std::process::id() == 1 || parent_id() == 1 {
        return Err(HostError::OwnProcesses);
    }
    let other = || HostError::OtherHost(landmark.into());
    let here = identity(landmark).ok_or_else(other)?;
    enter_one("mnt", CloneFlags::CLONE_NEWNS)?;
    if identity(landmark) != Some(here) {
        return Err(other());
    }
    env::set_current_dir("/").map_err(HostError::io("go to", "/"))
}

/// Enters the other namespaces of the host that hooks expect, for a process that already has the host's
/// files. Then it leaves the pod's control groups: when a pod ends, the processes in them end too.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn enter() -> Result<(), HostError> {
    for (name, flag) in [
        ("net", CloneFlags::CLONE_NEWNET),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        // This namespace decides the names and permissions of control groups.
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ] {
        enter_one(name, flag)?;
    }
    cgroup::leave()
}

fn enter_one(name: &'static str, flag: CloneFlags) -> Result<(), HostError> {
    let refused = |source: io::Error| HostError::Namespace { name, source };
    let theirs = Path::new("/proc/1/ns").join(name);
    let ours = fs::metadata(Path::new("/proc/self/ns").join(name)).map_err(refused)?;
    let namespace = File::open(theirs).map_err(refused)?;
    if namespace.metadata().map_err(refused)?.ino() == ours.ino() {
        return Ok(());
    }
    setns(namespace, flag).map_err(|error| refused(error.into()))
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(directory).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_does_not_identify_the_host() {
        let error = enter_mounts(Path::new("/nowhere")).unwrap_err();
        assert!(matches!(error, HostError::OtherHost(_)), "{error}");
    }
}
