//! One change to a node: done whole or not at all, and not again where it is done.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::InstallError;
use super::write::{back_up, backup_of, is_put, make_parent, put};

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
            } => is_put(path, content, *mode),
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
