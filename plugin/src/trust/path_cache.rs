//! A cache of the paths that one decision checks, so that nothing is checked twice.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::statfs::{FUSE_SUPER_MAGIC, PROC_SUPER_MAGIC, fstatfs};

use super::access::Use;
use super::check;
use super::error::{Fault, FileKind};
use super::mounts::Mounts;

/// The maximum number of cached paths. Each directory and file keeps a descriptor open, and a process may
/// have 1,024 by default.
pub(super) const MAX_REMEMBERED: usize = 128;

/// A cache of paths. The trusted files and directories that are checked through it share the way to them, so
/// that each directory and link is checked once.
///
/// It may miss changes that happen while it exists. So it is created for one decision and dropped with it.
#[derive(Debug, Default)]
pub(crate) struct PathCache {
    /// By real path. Nothing is ever removed, so each cached path was reached by its name from its cached
    /// parent.
    known: BTreeMap<OsString, Place>,
}

/// The file at a path that has no links on the way.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A directory, checked and trusted.
    Directory(Arc<Found>),
    /// A link, checked and trusted, and its target.
    Link(Arc<OsStr>),
    /// Any other file, not checked yet.
    Other(Arc<Found>),
}

/// A file that was reached. Its descriptor names it without having opened it, so that no pipe blocks and no
/// device is activated.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fd: OwnedFd,
    pub(super) stat: FileStat,
}

impl PathCache {
    /// An empty cache.
    pub(crate) fn new() -> PathCache {
        PathCache::default()
    }

    /// The directory `/`.
    pub(super) fn root(&mut self) -> Result<Arc<Found>, Fault> {
        let root = Path::new("/");
        if let Some(Place::Directory(known)) = self.known.get(root.as_os_str()) {
            return Ok(known.clone());
        }
        let access = Use::Read.begin(root)?;
        let found = Arc::new(Found::at(AT_FDCWD, root)?);
        drop(access);
        check::directory(&found.stat)?;
        self.remember(root, &Place::Directory(found.clone()));
        Ok(found)
    }

    /// Looks up `name` in `directory`. Its real path is `real`; `name` may be `..`.
    pub(super) fn look_up(&mut self, directory: &Found, name: &OsStr, real: &Path) -> Result<Place, Fault> {
        if let Some(known) = self.known.get(real.as_os_str()) {
            return Ok(known.clone());
        }
        let _access = Use::Read.begin(real)?;
        let found = Found::at(&directory.fd, name)?;
        if found.stat.st_dev != directory.stat.st_dev {
            check_mounter(&found)?;
        }
        let place = match check::kind(&found.stat) {
            FileKind::Directory => {
                check::directory(&found.stat)?;
                Place::Directory(Arc::new(found))
            }
            FileKind::Symlink => Place::Link(target(directory, &found)?.into()),
            _ => Place::Other(Arc::new(found)),
        };
        self.remember(real, &place);
        Ok(place)
    }

    /// The number of cached paths.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.known.len()
    }

    fn remember(&mut self, real: &Path, place: &Place) {
        if self.known.len() < MAX_REMEMBERED {
            self.known.insert(real.into(), place.clone());
        }
    }
}

impl Found {
    fn at<P: ?Sized + NixPath>(directory: impl AsFd, name: &P) -> Result<Found, Fault> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(directory, name, flags, Mode::empty())?;
        let stat = fstat(&fd)?;
        Ok(Found { fd, stat })
    }
}

/// Checks that the owner of `found` can be true. Another file system begins there, and a user's own
/// FUSE file system can report anything.
fn check_mounter(found: &Found) -> Result<(), Fault> {
    if fstatfs(&found.fd)?.filesystem_type() != FUSE_SUPER_MAGIC {
        return Ok(());
    }
    match Mounts::of_this_process().mounter_of(found.stat.st_dev) {
        Some(0) => Ok(()),
        Some(uid) => Err(Fault::MountedByUser { uid }),
        None => Err(Fault::Changed),
    }
}

fn target(directory: &Found, link: &Found) -> Result<OsString, Fault> {
    check::link(&directory.stat, &link.stat)?;
    if fstatfs(&link.fd)?.filesystem_type() == PROC_SUPER_MAGIC {
        return Err(Fault::ProcLink);
    }
    // The empty name means the link of the descriptor itself.
    Ok(readlinkat(&link.fd, "")?)
}
