//! Going from `/` to a file one component at a time, on descriptors, judging each.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::error::{Fault, FileKind, TrustError};
use super::judge;

/// How many links may be on the way: the kernel's own limit (path_resolution(7)).
pub(super) const MOST_LINKS: usize = 40;

/// The longest path that the kernel takes, in bytes without the NUL at its end.
const LONGEST_PATH: usize = nix::libc::PATH_MAX as usize - 1;

/// Something that a walk has come to: its descriptor names it without having opened it, so that no
/// pipe blocks and no device wakes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fd: OwnedFd,
    pub(super) stat: FileStat,
}

impl Found {
    fn at<P: ?Sized + NixPath>(directory: impl AsFd, name: &P) -> Result<Found, Fault> {
        let look = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(directory, name, look, Mode::empty())?;
        let stat = fstat(&fd)?;
        Ok(Found { fd, stat })
    }

    fn root() -> Result<Found, Fault> {
        let root = Found::at(AT_FDCWD, "/")?;
        judge::directory(&root.stat)?;
        Ok(root)
    }
}

/// Where a walk ended.
#[derive(Debug)]
pub(super) enum End {
    /// At a directory, found good.
    Directory(Found),
    /// At something else, not judged yet, in a directory found good.
    File { directory: Found, file: Found },
}

/// Walks to `path`; returns what is there, and its real path.
///
/// Every directory on the way is judged and so is every link; the target of a link is walked to in
/// the same manner.
pub(super) fn walk(path: &Path) -> Result<(End, PathBuf), TrustError> {
    let bytes = path.as_os_str().as_bytes();
    let malformed = if bytes.contains(&0) {
        Some(Fault::Nul)
    } else if !bytes.starts_with(b"/") {
        Some(Fault::NotAbsolute)
    } else if bytes.len() > LONGEST_PATH {
        Some(Fault::NameTooLong)
    } else {
        None
    };
    if let Some(fault) = malformed {
        return Err(TrustError {
            component: path.to_owned(),
            fault,
        });
    }
    let mut real = PathBuf::with_capacity(bytes.len());
    real.push("/");
    match go(
        Rest {
            bytes: bytes.to_vec(),
            next: 0,
            links: 0,
        },
        &mut real,
    ) {
        Ok(end) => Ok((end, real)),
        Err(fault) => Err(TrustError {
            component: real,
            fault,
        }),
    }
}

/// `real` is, at each moment and so also when a fault is returned, the component looked at.
fn go(mut rest: Rest, real: &mut PathBuf) -> Result<End, Fault> {
    let mut here = Found::root()?;
    while let Some((name, is_last)) = rest.next() {
        if name == "." {
            continue;
        }
        if name == ".." {
            // What is found by this name is the real parent, whatever link led here. It is judged
            // again: the directory may have been moved since it was come to.
            real.pop();
            here = Found::at(&here.fd, name)?;
            judge::directory(&here.stat)?;
            continue;
        }
        real.push(name);
        let found = Found::at(&here.fd, name)?;
        match judge::kind(&found.stat) {
            FileKind::Directory => {
                judge::directory(&found.stat)?;
                here = found;
            }
            FileKind::Symlink => {
                let target = read_link(&here, &found)?;
                rest.follow(&target)?;
                real.pop();
                if target.as_bytes().starts_with(b"/") {
                    here = Found::root()?;
                    real.push("/");
                }
            }
            _ if is_last => {
                return Ok(End::File {
                    directory: here,
                    file: found,
                });
            }
            other => return Err(Fault::NotDirectory(other)),
        }
    }
    Ok(End::Directory(here))
}

fn read_link(directory: &Found, link: &Found) -> Result<OsString, Fault> {
    judge::link(&directory.stat, &link.stat)?;
    if fstatfs(&link.fd)?.filesystem_type() == PROC_SUPER_MAGIC {
        return Err(Fault::ProcLink);
    }
    // The empty name means the link that the descriptor names.
    Ok(readlinkat(&link.fd, "")?)
}

/// The part of the path that is still to be walked.
struct Rest {
    bytes: Vec<u8>,
    next: usize,
    links: usize,
}

impl Rest {
    /// The next component, and whether nothing follows it, not even a slash.
    fn next(&mut self) -> Option<(&OsStr, bool)> {
        let start = self.next + self.bytes[self.next..].iter().position(|byte| *byte != b'/')?;
        let name = self.bytes[start..].split(|byte| *byte == b'/').next()?;
        self.next = start + name.len();
        Some((OsStr::from_bytes(name), self.next == self.bytes.len()))
    }

    /// Goes on with the target of the link just met.
    fn follow(&mut self, target: &OsStr) -> Result<(), Fault> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Fault::TooManyLinks);
        }
        let mut bytes = target.to_owned().into_vec();
        bytes.extend_from_slice(&self.bytes[self.next..]);
        self.bytes = bytes;
        self.next = 0;
        Ok(())
    }
}
