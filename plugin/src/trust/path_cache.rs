//! One moment's look at the file system: what was come to once is not looked at again.

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

/// How much is remembered: each directory and file keeps a descriptor open, and a process may have
/// 1,024 by default.
pub(super) const MAX_REMEMBERED: usize = 128;

/// One moment's look at the file system: the trusted files and directories had through it share
/// what lies on the way to them, so that each directory and link is looked at and judged once.
///
/// What is changed while it lives may go unseen, so it is made for one decision and dropped with
/// it.
#[derive(Debug, Default)]
pub struct PathCache {
    /// By real path. Nothing is ever removed, so what is remembered was come to by its name from
    /// what is remembered as its parent.
    known: BTreeMap<OsString, Place>,
}

/// What is at a path that has no links on the way.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A directory, found good.
    Directory(Arc<Found>),
    /// A link, found good, and its target.
    Link(Arc<OsStr>),
    /// Something else, not judged yet.
    Other(Arc<Found>),
}

/// Something that was come to: its descriptor names it without having opened it, so that no pipe
/// blocks and no device wakes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fd: OwnedFd,
    pub(super) stat: FileStat,
}

impl PathCache {
    /// A look that begins now.
    pub fn new() -> PathCache {
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

    /// What is called `name` in `directory`. Its real path is `real`; `name` may be `..`.
    pub(super) fn come_to(&mut self, directory: &Found, name: &OsStr, real: &Path) -> Result<Place, Fault> {
        if let Some(known) = self.known.get(real.as_os_str()) {
            return Ok(known.clone());
        }
        let _access = Use::Read.begin(real)?;
        let found = Found::at(&directory.fd, name)?;
        if found.stat.st_dev != directory.stat.st_dev {
            may_be_believed(&found)?;
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

    /// How much it remembers.
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
        let look = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(directory, name, look, Mode::empty())?;
        let stat = fstat(&fd)?;
        Ok(Found { fd, stat })
    }
}

/// Whether what `found`, at which another file system begins, says of its owner can be true: a user's own FUSE file
/// system can say anything.
fn may_be_believed(found: &Found) -> Result<(), Fault> {
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
    // The empty name means the link that the descriptor names.
    Ok(readlinkat(&link.fd, "")?)
}
