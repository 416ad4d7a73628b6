//! The rules about one file: its kind, its owner, its mode.

use nix::libc;
use nix::sys::stat::FileStat;

use super::error::{Fault, FileKind};

/// Write permission for group or others.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;
const SET_ID: u32 = 0o6000;
const EXECUTE: u32 = 0o111;

/// The purpose for which root uses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To act on its content.
    Read,
    /// To run it.
    Execute,
}

/// The kind of file in `stat`.
pub(super) fn kind(stat: &FileStat) -> FileKind {
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => FileKind::Directory,
        libc::S_IFLNK => FileKind::Symlink,
        libc::S_IFIFO => FileKind::Fifo,
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFCHR => FileKind::CharDevice,
        libc::S_IFBLK => FileKind::BlockDevice,
        _ => FileKind::Regular,
    }
}

/// The permission bits, with setuid, setgid and sticky.
fn mode(stat: &FileStat) -> u32 {
    stat.st_mode & 0o7777
}

/// Whether users other than root can create files in this directory.
pub(super) fn is_shared(directory: &FileStat) -> bool {
    mode(directory) & OTHERS_WRITE != 0
}

/// Checks a directory: owned by root, and writable by root alone unless sticky. In a sticky directory others
/// can add files, but cannot remove or rename root's.
pub(super) fn directory(stat: &FileStat) -> Result<(), Fault> {
    owner(stat)?;
    if is_shared(stat) && mode(stat) & STICKY == 0 {
        return Err(writable(stat));
    }
    Ok(())
}

/// Checks a link in `directory`: owned by root. Its mode has no meaning.
pub(super) fn link(directory: &FileStat, stat: &FileStat) -> Result<(), Fault> {
    owner(stat)?;
    one_name(directory, stat)
}

/// Checks the file itself, in `directory`: regular, owned by root, writable by root alone; a hook also
/// executable, without setuid or setgid. The group bits of a file with an access list are the most that the
/// list grants, so a list cannot hide a writer.
pub(super) fn file(directory: &FileStat, stat: &FileStat, purpose: Purpose) -> Result<(), Fault> {
    if kind(stat) != FileKind::Regular {
        return Err(Fault::NotRegular(kind(stat)));
    }
    owner(stat)?;
    if mode(stat) & OTHERS_WRITE != 0 {
        return Err(writable(stat));
    }
    if purpose == Purpose::Execute && mode(stat) & SET_ID != 0 {
        return Err(Fault::SetId { mode: mode(stat) });
    }
    if purpose == Purpose::Execute && mode(stat) & EXECUTE == 0 {
        return Err(Fault::NotExecutable { mode: mode(stat) });
    }
    one_name(directory, stat)
}

fn owner(stat: &FileStat) -> Result<(), Fault> {
    match stat.st_uid {
        0 => Ok(()),
        uid => Err(Fault::Owner {
            kind: kind(stat),
            uid,
            mode: mode(stat),
        }),
    }
}

pub(super) fn writable(stat: &FileStat) -> Fault {
    Fault::Writable {
        kind: kind(stat),
        mode: mode(stat),
    }
}

/// Where others can create files, anybody can have made a second name for one of root's files: a hard link
/// keeps owner and mode.
fn one_name(directory: &FileStat, stat: &FileStat) -> Result<(), Fault> {
    if is_shared(directory) && stat.st_nlink > 1 {
        return Err(Fault::HardLinked {
            kind: kind(stat),
            names: stat.st_nlink,
        });
    }
    Ok(())
}
