//! One change to a node: done whole or not at all, and not again where it is done.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::InstallError;

/// What a backup's name ends with.
const BACKUP: &str = ".before-nri-oci-hooks";

/// One change to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A folder is made, for root to write to.
    Folder {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is written; one that is there is kept beside it.
    File {
        /// Where.
        path: PathBuf,
        /// What is in it.
        content: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// What it is for.
        what: &'static str,
    },
    /// A file is written unless there is one: its content is the administrator's.
    FileIfAbsent {
        /// Where.
        path: PathBuf,
        /// What is in it.
        content: Vec<u8>,
        /// What it is for.
        what: &'static str,
    },
    /// A link is made.
    Link {
        /// Where.
        path: PathBuf,
        /// What it leads to.
        target: PathBuf,
        /// What it is for.
        what: &'static str,
    },
    /// A file or link is removed.
    Remove {
        /// Which.
        path: PathBuf,
        /// What it was for.
        what: &'static str,
    },
}

impl Step {
    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        match self {
            Step::Folder { path, .. } => path.is_dir(),
            Step::File {
                path, content, mode, ..
            } => {
                let has_mode = |file: fs::Metadata| file.permissions().mode() & 0o7777 == *mode;
                fs::read(path).is_ok_and(|there| there == *content)
                    && path
                        .symlink_metadata()
                        .is_ok_and(|file| file.is_file() && has_mode(file))
            }
            Step::FileIfAbsent { path, .. } => path.symlink_metadata().is_ok(),
            Step::Link { path, target, .. } => fs::read_link(path).is_ok_and(|there| there == *target),
            Step::Remove { path, .. } => path.symlink_metadata().is_err(),
        }
    }

    /// Does it, unless it is done.
    ///
    /// # Errors
    /// The kernel refuses. Then nothing of this step is done.
    pub fn execute(&self) -> Result<(), InstallError> {
        if self.is_done() {
            return Ok(());
        }
        match self {
            Step::Folder { path, mode } => {
                let made = DirBuilder::new().recursive(true).mode(*mode).create(path);
                made.map_err(InstallError::io("make folder", path))
            }
            Step::File {
                path, content, mode, ..
            } => {
                back_up(path)?;
                put(path, content, *mode)
            }
            Step::FileIfAbsent { path, content, .. } => put(path, content, 0o644),
            Step::Link { path, target, .. } => link(path, target),
            Step::Remove { path, .. } => fs::remove_file(path).map_err(InstallError::io("remove", path)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Folder { path, .. } => write!(f, "make folder {}", path.display()),
            Step::File { path, what, .. } if path.symlink_metadata().is_ok() => {
                let backup = backup_of(path);
                write!(
                    f,
                    "replace {}, {what}; what is there now is kept as {}",
                    path.display(),
                    backup.display()
                )
            }
            Step::File { path, what, .. } | Step::FileIfAbsent { path, what, .. } => {
                write!(f, "write {}, {what}", path.display())
            }
            Step::Link { path, target, what } => {
                write!(f, "link {} to {}, {what}", path.display(), target.display())
            }
            Step::Remove { path, what } => write!(f, "remove {}, {what}", path.display()),
        }
    }
}

fn backup_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BACKUP);
    name.into()
}

/// Keeps the file that is there, unless one was kept before: that is the administrator's, this one
/// may be ours.
fn back_up(path: &Path) -> Result<(), InstallError> {
    let backup = backup_of(path);
    if !path.is_file() || backup.exists() {
        return Ok(());
    }
    // Not executable: a program in a folder of plugins would be started.
    let content = fs::read(path).map_err(InstallError::io("read", path))?;
    put(&backup, &content, 0o600)
}

/// Writes a file aside and renames it into place. It becomes executable only there: a runtime would
/// start whatever is in its folder of plugins.
fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), InstallError> {
    make_parent(path)?;
    let aside = aside(path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&aside);
        InstallError::io("write", path)(error)
    })
}

/// Makes a link, or replaces one. It is made in the folder above and moved: in a folder of plugins a
/// link with another name would be started too.
fn link(path: &Path, target: &Path) -> Result<(), InstallError> {
    make_parent(path)?;
    let above = path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let aside = above.join(format!(".nri-oci-hooks-{}", std::process::id()));
    let made = symlink(target, &aside).and_then(|()| fs::rename(&aside, path));
    made.map_err(|error| {
        let _ = fs::remove_file(&aside);
        InstallError::io("link", path)(error)
    })
}

fn make_parent(path: &Path) -> Result<(), InstallError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
    made.map_err(InstallError::io("make folder", parent))
}

/// A name that is no program's and no configuration's: it begins with a dot.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new-{}", std::process::id()))
}
