//! The exit code of a process that is not a child of ours: Linux reports it by a pidfd since 6.15.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use nix::libc;

/// `PIDFD_INFO_EXIT` (linux/pidfd.h): requests the exit code, and marks that it is there.
const EXIT: u64 = 1 << 3;

/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`, of the first size that the structure had.
const GET_INFO: libc::c_ulong = 3 << 30 | (size_of::<Info>() as libc::c_ulong) << 16 | 0xFF << 8 | 11;

/// The first Linux that reports exit codes.
const SINCE: (u32, u32) = (6, 15);

/// `struct pidfd_info`, as far as Linux 6.15 has it.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup_id: u64,
    /// Ids of the process, its group, its parent and its users.
    ids: [u32; 11],
    /// As wait(2) has it.
    exit_code: i32,
}

/// Whether this kernel reports exit codes by pidfd.
pub fn knows_exit_codes() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        version(&release).is_some_and(|version| version >= SINCE)
    })
}

/// The first two numbers of a release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The exit code of the process of `pidfd`, or 128 plus the number of the signal that ended it. `None` until its parent
/// has waited for it, and on earlier kernels.
pub(crate) fn exit_code(pidfd: &impl AsFd) -> Option<i32> {
    let mut info = Info {
        mask: EXIT,
        ..Info::default()
    };
    // SAFETY: the kernel writes no more than the size that is in the number of the request, and the descriptor is open.
    let done = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), GET_INFO as _, &raw mut info) };
    let is_there = done == 0 && info.mask & EXIT != 0;
    is_there.then(|| match info.exit_code & 0x7f {
        0 => info.exit_code >> 8 & 0xff,
        signal => 128 + signal,
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn it_is_reported_once_the_parent_has_waited() {
        if !knows_exit_codes() {
            return;
        }
        for (script, expected) in [
            ("exit 7", 7),
            ("exit 0", 0),
            ("kill -KILL $$", 137),
            ("exit 255", 255),
        ] {
            let mut child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
            let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
            assert_eq!(exit_code(&pidfd), None);
            child.wait().unwrap();
            assert_eq!(exit_code(&pidfd), Some(expected), "{script}");
        }
    }

    #[test]
    fn releases_are_compared_by_their_first_two_numbers() {
        for (release, knows) in [
            ("6.15.0", true),
            ("6.18.44-fc-v669\n", true),
            ("7.0-rc1", true),
            ("6.14.9", false),
            ("6.8.0-60-generic", false),
            ("", false),
        ] {
            let found = version(release).is_some_and(|version| version >= SINCE);
            assert_eq!(found, knows, "{release}");
        }
    }
}
