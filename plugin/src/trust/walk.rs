//! Walks from `/` to a file one component at a time, on descriptors, and checks each.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use super::error::{Fault, TrustError};
use super::path_cache::{Found, PathCache, Place};

/// The maximum number of links on the way: the kernel's own limit (path_resolution(7)).
pub(super) const MAX_LINKS: usize = 40;

/// The longest path that the kernel accepts, in bytes without the NUL at its end.
const LONGEST_PATH: usize = nix::libc::PATH_MAX as usize - 1;

/// The end of a walk.
#[derive(Debug)]
pub(super) enum End {
    /// A directory, checked and trusted.
    Directory(Arc<Found>),
    /// Any other file, not checked yet, in a trusted directory.
    File { directory: Arc<Found>, file: Arc<Found> },
}

/// Walks to `path`; returns the file or directory there, and its real path.
///
/// Checks every directory and link on the way; the target of a link is walked to in the same manner. Paths in
/// the cache are not checked again.
pub(super) fn walk(path_cache: &mut PathCache, path: &Path) -> Result<(End, PathBuf), TrustError> {
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
    let rest = Rest {
        bytes: bytes.to_vec(),
        next: 0,
        links: 0,
    };
    match go(path_cache, rest, &mut real) {
        Ok(end) => Ok((end, real)),
        Err(fault) => Err(TrustError {
            component: real,
            fault,
        }),
    }
}

/// `real` is always the current component, also when a fault is returned.
fn go(path_cache: &mut PathCache, mut rest: Rest, real: &mut PathBuf) -> Result<End, Fault> {
    let mut here = path_cache.root()?;
    while let Some((name, is_last)) = rest.next() {
        if name == "." {
            continue;
        }
        if name == ".." {
            // The real parent, whatever link led here.
            real.pop();
        } else {
            real.push(name);
        }
        match path_cache.look_up(&here, name, real)? {
            Place::Directory(found) => here = found,
            Place::Link(target) => {
                rest.follow(&target)?;
                real.pop();
                if target.as_bytes().starts_with(b"/") {
                    here = path_cache.root()?;
                    real.push("/");
                }
            }
            Place::Other(found) if is_last => {
                return Ok(End::File {
                    directory: here,
                    file: found,
                });
            }
            Place::Other(found) => return Err(Fault::NotDirectory(check::kind(&found.stat))),
        }
    }
    Ok(End::Directory(here))
}

/// The rest of the path.
struct Rest {
    bytes: Vec<u8>,
    next: usize,
    links: usize,
}

impl Rest {
    /// The next component, and whether it is the last, without even a slash after it.
    fn next(&mut self) -> Option<(&OsStr, bool)> {
        let start = self.next + self.bytes[self.next..].iter().position(|byte| *byte != b'/')?;
        let name = self.bytes[start..].split(|byte| *byte == b'/').next()?;
        self.next = start + name.len();
        Some((OsStr::from_bytes(name), self.next == self.bytes.len()))
    }

    /// Continues with the target of the current link.
    fn follow(&mut self, target: &OsStr) -> Result<(), Fault> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Fault::TooManyLinks);
        }
        let mut bytes = target.to_owned().into_vec();
        bytes.extend_from_slice(&self.bytes[self.next..]);
        self.bytes = bytes;
        self.next = 0;
        Ok(())
    }
}
