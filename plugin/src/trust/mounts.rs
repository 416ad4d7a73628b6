//! Which file system a path is on, found without a look at the path: one that hangs cannot be asked.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// As proc_pid_mountinfo(5) has it.
const MOUNTS: &str = "/proc/self/mountinfo";

/// What is mounted where, in the order of mounting.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

#[derive(Debug)]
struct Mount {
    /// `MAJOR:MINOR`: a file system has the same wherever it is mounted.
    device: String,
    point: PathBuf,
}

impl Mounts {
    /// Those of this process; none if they cannot be read.
    pub(super) fn of_this_process() -> Mounts {
        Mounts::parse(&fs::read_to_string(MOUNTS).unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Mounts {
        let mount = |line: &str| {
            let mut words = line.split(' ');
            let device = words.nth(2)?.to_owned();
            let point = unescaped(words.nth(1)?);
            Some(Mount { device, point })
        };
        Mounts(text.lines().filter_map(mount).collect())
    }

    /// Whether `one` and `other`, which have no links on their way, are on the same file system. What is unknown
    /// counts as the same.
    pub(super) fn is_same(&self, one: &Path, other: &Path) -> bool {
        match (self.of(one), self.of(other)) {
            (Some(one), Some(other)) => one.device == other.device,
            _ => true,
        }
    }

    /// Where the file system of `path` is mounted.
    pub(super) fn point_of(&self, path: &Path) -> Option<&Path> {
        self.of(path).map(|mount| &*mount.point)
    }

    fn of(&self, path: &Path) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        // Of several at one place the last is on top.
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
    fn the_mounts_of_this_process_have_a_root() {
        let mounts = Mounts::of_this_process();
        assert_eq!(mounts.point_of(Path::new("/")), Some(Path::new("/")));
    }
}
