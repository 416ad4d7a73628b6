//! Finds the file system of a path without an access to the path, because the access may hang.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::libc::dev_t;
use nix::sys::stat::{major, minor};

/// See proc_pid_mountinfo(5).
const MOUNTS: &str = "/proc/thread-self/mountinfo";

/// The mounts, in the order of mounting.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

#[derive(Debug)]
struct Mount {
    /// `MAJOR:MINOR`: a file system has the same wherever it is mounted.
    device: String,
    point: PathBuf,
    /// The user whose program serves it, if it is a FUSE file system.
    mounter: Option<u32>,
}

impl Mounts {
    /// The mounts of this process; none if they cannot be read.
    pub(super) fn of_this_process() -> Mounts {
        Mounts::parse(&fs::read_to_string(MOUNTS).unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Mounts {
        let mount = |line: &str| {
            let (of_mount, of_file_system) = line.split_once(" - ")?;
            let mut words = of_mount.split(' ');
            let device = words.nth(2)?.to_owned();
            let point = unescaped(words.nth(1)?);
            // The word before is the source, which the user who mounts it can choose freely.
            let mut options = of_file_system.split(' ').nth(2)?.split(',');
            let mounter = options.find_map(|option| option.strip_prefix("user_id=")?.parse().ok());
            Some(Mount {
                device,
                point,
                mounter,
            })
        };
        Mounts(text.lines().filter_map(mount).collect())
    }

    /// Whether `one` and `other`, which have no links on their way, are on the same file system. If that is
    /// unknown, they count as on the same.
    pub(super) fn is_same(&self, one: &Path, other: &Path) -> bool {
        match (self.of(one), self.of(other)) {
            (Some(one), Some(other)) => one.device == other.device,
            _ => true,
        }
    }

    /// The mount point of the file system of `path`.
    pub(super) fn point_of(&self, path: &Path) -> Option<&Path> {
        self.of(path).map(|mount| &*mount.point)
    }

    /// The user who has mounted the file system of `device` and serves it; root unless its options name
    /// another. `None` if it is not mounted.
    pub(super) fn mounter_of(&self, device: dev_t) -> Option<u32> {
        let device = format!("{}:{}", major(device), minor(device));
        let mount = self.0.iter().find(|mount| mount.device == device)?;
        Some(mount.mounter.unwrap_or(0))
    }

    fn of(&self, path: &Path) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        // If several are mounted at one place, the last is on top.
        above.max_by_key(|mount| mount.point.components().count())
    }
}

/// Blanks, line breaks and backslashes are three octal digits there.
fn unescaped(word: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.first_chunk().filter(|_| *first == b'\\');
        match octal.and_then(|digits: &[u8; 3]| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsStr::from_bytes(&bytes).into()
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::makedev;

    use super::*;

    #[test]
    fn a_path_is_on_what_was_mounted_last_and_nearest_above_it() {
        let mounts = Mounts::parse(
            "1 0 8:1 / / rw - ext4 a rw\n\
             2 1 0:40 / /a rw,nosuid shared:3 - fuse b rw\n\
             3 1 0:41 / /a rw - fuse c rw\n\
             4 1 0:42 / /a/with\\040blank rw - fuse d rw\n",
        );
        for (path, device) in [
            ("/", "8:1"),
            ("/ab", "8:1"),
            ("/a", "0:41"),
            ("/a/b", "0:41"),
            ("/a/with blank/c", "0:42"),
        ] {
            assert_eq!(mounts.of(Path::new(path)).unwrap().device, device, "{path}");
        }
    }

    #[test]
    fn the_user_who_has_mounted_a_file_system_is_known_by_its_device_and_cannot_be_faked() {
        let mounts = Mounts::parse(
            "1 0 8:1 / / rw - ext4 a rw\n\
             2 1 0:40 / /a rw - fuse.x b,user_id=0 rw,user_id=1000,group_id=1000,allow_other\n\
             3 1 0:41 / /b rw shared:3 - fuse c rw,user_id=0,group_id=0\n\
             4 1 0:42 / /c rw - virtiofs d rw\n",
        );
        let of = |minor| mounts.mounter_of(makedev(0, minor));
        assert_eq!([40, 41, 42, 43].map(of), [Some(1000), Some(0), Some(0), None]);
        assert_eq!(mounts.mounter_of(makedev(8, 1)), Some(0));
    }

    #[test]
    fn the_mounts_of_this_process_have_a_root() {
        let mounts = Mounts::of_this_process();
        assert_eq!(mounts.point_of(Path::new("/")), Some(Path::new("/")));
    }
}
