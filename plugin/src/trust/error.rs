//! The reasons why a file is not trusted.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;

use super::access::NotAnswering;
use super::walk::MAX_LINKS;
use crate::diagnostic::Rule;
use crate::model::escaped;

/// The reason why a file is not trusted, and the component of its path at fault.
///
/// Displayed as one line with the error; [`TrustError::help`] is the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustError {
    /// The component at fault, by its real path: every link before it is resolved.
    pub(crate) component: PathBuf,
    /// The fault of this component.
    pub(crate) fault: Fault,
}

/// The possible faults of a component of a path. Modes are the permission bits alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The path does not begin at `/`.
    NotAbsolute,
    /// The path holds a NUL character.
    Nul,
    /// It does not exist.
    NotFound,
    /// This process may not stat it.
    PermissionDenied,
    /// It is not a directory, but the path continues after it.
    NotDirectory(FileKind),
    /// It is not a regular file.
    NotRegular(FileKind),
    /// It belongs to this user, not to root.
    Owner {
        /// Its kind.
        kind: FileKind,
        /// Its owner.
        uid: u32,
        /// Its mode.
        mode: u32,
    },
    /// Users other than root may write to it.
    Writable {
        /// Its kind.
        kind: FileKind,
        /// Its mode.
        mode: u32,
    },
    /// It has no execute bit.
    NotExecutable {
        /// Its mode.
        mode: u32,
    },
    /// It has a setuid or setgid bit.
    SetId {
        /// Its mode.
        mode: u32,
    },
    /// It has other names besides this one, in a directory where others can create files.
    HardLinked {
        /// Its kind.
        kind: FileKind,
        /// The number of its names.
        names: libc::nlink_t,
    },
    /// The program of this user serves its file system, and can report any owner.
    MountedByUser {
        /// The user who mounted it.
        uid: u32,
    },
    /// It is a link of procfs, which leads each process to another file.
    ProcLink,
    /// It is one link more than a path may have.
    TooManyLinks,
    /// It is longer than the kernel accepts.
    NameTooLong,
    /// It was replaced while it was being checked.
    Changed,
    /// Its file system does not answer.
    NotAnswering(NotAnswering),
    /// The kernel refused for another reason.
    Kernel(Errno),
}

impl From<NotAnswering> for Fault {
    fn from(not_answering: NotAnswering) -> Fault {
        Fault::NotAnswering(not_answering)
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        match errno {
            Errno::ENOENT => Fault::NotFound,
            Errno::EACCES | Errno::EPERM => Fault::PermissionDenied,
            Errno::ENAMETOOLONG => Fault::NameTooLong,
            // Links are opened as themselves, so this is a link that was not there before.
            Errno::ELOOP => Fault::Changed,
            other => Fault::Kernel(other),
        }
    }
}

impl TrustError {
    /// The rule that is broken.
    pub(crate) fn rule(&self) -> Rule {
        match self.fault {
            Fault::NotAbsolute => Rule::PathNotAbsolute,
            Fault::Nul => Rule::NulCharacter,
            Fault::NotFound => Rule::NotFound,
            Fault::PermissionDenied => Rule::PermissionDenied,
            Fault::NotDirectory(_) => Rule::NotDirectory,
            Fault::NotRegular(_) => Rule::NotRegular,
            Fault::Owner { .. } => Rule::OwnerNotRoot,
            Fault::Writable { .. } => Rule::WritableByOthers,
            Fault::NotExecutable { .. } => Rule::NotExecutable,
            Fault::SetId { .. } => Rule::SetId,
            Fault::HardLinked { .. } => Rule::HardLinked,
            Fault::MountedByUser { .. } => Rule::MountedByUser,
            Fault::ProcLink => Rule::ProcLink,
            Fault::TooManyLinks => Rule::TooManyLinks,
            Fault::NameTooLong => Rule::NameTooLong,
            Fault::Changed => Rule::Changed,
            Fault::NotAnswering(_) => Rule::NotAnswering,
            Fault::Kernel(_) => Rule::Unreadable,
        }
    }

    /// The hint for this fault.
    pub(crate) fn help(&self) -> String {
        let path = self.escaped_component();
        match self.fault {
            Fault::NotAbsolute => "write the whole path from /".into(),
            Fault::Nul => "remove the NUL character".into(),
            Fault::NotFound => "create it on this node, or correct the path".into(),
            Fault::PermissionDenied => "run this as root".into(),
            Fault::NotDirectory(_) => "correct the path".into(),
            Fault::NotRegular(_) => "name a regular file".into(),
            Fault::Owner {
                kind: FileKind::Symlink,
                ..
            } => format!("run: chown -h root {path}"),
            Fault::Owner { .. } => format!("run: chown root {path}"),
            Fault::Writable {
                kind: FileKind::Directory,
                ..
            } => {
                format!("run: chmod go-w {path} (or chmod +t {path} if others must write there)")
            }
            Fault::Writable { .. } => format!("run: chmod go-w {path}"),
            Fault::NotExecutable { .. } => format!("run: chmod +x {path}"),
            Fault::SetId { .. } => format!("run: chmod ug-s {path} (a hook runs as root anyway)"),
            Fault::HardLinked { .. } => "put a copy where only root can create files".into(),
            Fault::MountedByUser { .. } => "put a copy on a file system that root has mounted".into(),
            Fault::ProcLink | Fault::TooManyLinks => "name the file by its own path".into(),
            Fault::NameTooLong => "a name has at most 255 bytes, a path 4095".into(),
            Fault::Changed => "try again when nobody is replacing it".into(),
            Fault::NotAnswering(_) => "check its disk or its server; nothing here needs a restart".into(),
            Fault::Kernel(_) => "resolve the error that the kernel reports".into(),
        }
    }

    fn escaped_component(&self) -> String {
        escaped(&self.component.to_string_lossy()).to_string()
    }
}

impl std::error::Error for TrustError {}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.escaped_component();
        match self.fault {
            Fault::NotAbsolute => write!(f, "{path} must begin with /"),
            Fault::Nul => write!(f, "{path} has a NUL character"),
            Fault::NotFound => write!(f, "{path} does not exist"),
            Fault::PermissionDenied => write!(f, "{path} cannot be accessed: permission denied"),
            Fault::NotDirectory(kind) => write!(f, "{path} must be a directory, but is a {kind}"),
            Fault::NotRegular(kind) => write!(f, "{path} must be a regular file, but is a {kind}"),
            Fault::Owner { kind, uid, mode } => {
                write!(
                    f,
                    "{path} ({kind}, mode {mode:04o}) must be owned by root, but is owned by uid {uid}"
                )
            }
            Fault::Writable {
                kind: kind @ FileKind::Directory,
                mode,
            } => {
                let unless = "must be writable by root alone unless it is sticky";
                write!(f, "{path} ({kind}, owner root) {unless}, but has mode {mode:04o}")
            }
            Fault::Writable { kind, mode } => {
                let rule = "must be writable by root alone";
                write!(f, "{path} ({kind}, owner root) {rule}, but has mode {mode:04o}")
            }
            Fault::NotExecutable { mode } => write!(f, "{path} must be executable, but has mode {mode:04o}"),
            Fault::SetId { mode } => {
                write!(
                    f,
                    "{path} must be neither setuid nor setgid, but has mode {mode:04o}"
                )
            }
            Fault::HardLinked { kind, names } => {
                let danger = "names and is in a directory where others can create files";
                write!(f, "{path} ({kind}, owner root) has {names} {danger}")
            }
            Fault::MountedByUser { uid } => write!(
                f,
                "{path} is on a FUSE file system of uid {uid}, who can fake owners and modes there"
            ),
            Fault::ProcLink => write!(f, "{path} is a different file for each process"),
            Fault::TooManyLinks => write!(f, "{path} exceeds the limit of {MAX_LINKS} links in a path"),
            Fault::NameTooLong => write!(f, "{path} has a name that is too long"),
            Fault::Changed => write!(f, "{path} was replaced while it was being checked"),
            Fault::NotAnswering(how_long) => write!(f, "the file system of {path} {how_long}"),
            Fault::Kernel(errno) => write!(f, "{path} cannot be accessed: {}", errno.desc()),
        }
    }
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Regular => "regular file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "link",
            FileKind::Fifo => "named pipe",
            FileKind::Socket => "socket",
            FileKind::CharDevice => "character device",
            FileKind::BlockDevice => "block device",
        })
    }
}
