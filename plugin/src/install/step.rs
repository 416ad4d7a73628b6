//! One change to a node: done whole or not at all, and not again where it is done.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::InstallError;
use super::backup::keep;
use super::write::{is_put, make_parent, put, put_for};
use crate::model::shown_path;

/// One change to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A directory is made, for root to write to.
    Directory {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is written, in place of one that is there.
    File {
        /// Where.
        path: PathBuf,
        /// What is in it.
        content: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Its user and group; `None` for root.
        owner: Option<(u32, u32)>,
        /// Where what is there is kept; `None` if it is ours, or nothing.
        kept: Option<PathBuf>,
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
        /// Where what is there is kept; `None` if it is ours, or nothing.
        kept: Option<PathBuf>,
        /// What it is for.
        what: &'static str,
    },
    /// A file or link is removed.
    Remove {
        /// Which.
        path: PathBuf,
        /// Where it is kept; `None` if it is as we put it there.
        kept: Option<PathBuf>,
        /// What it was for.
        what: &'static str,
    },
}

impl Step {
    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        match self {
            Step::Directory { path, .. } => path.is_dir(),
            Step::File {
                path, content, mode, ..
            } => is_put(path, content, *mode),
            Step::FileIfAbsent { path, .. } => path.symlink_metadata().is_ok(),
            Step::Link { path, target, .. } => fs::read_link(path).is_ok_and(|there| there == *target),
            Step::Remove { path, .. } => path.symlink_metadata().is_err(),
        }
    }

    /// What is kept, and as what.
    fn kept(&self) -> Option<(&Path, &Path)> {
        match self {
            Step::File { path, kept, .. }
            | Step::Link { path, kept, .. }
            | Step::Remove { path, kept, .. } => Some((path, kept.as_deref()?)),
            Step::Directory { .. } | Step::FileIfAbsent { .. } => None,
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
        if let Some((path, kept)) = self.kept() {
            keep(path, kept)?;
        }
        match self {
            Step::Directory { path, mode } => {
                let made = DirBuilder::new().recursive(true).mode(*mode).create(path);
                made.map_err(InstallError::io("make directory", path))
            }
            Step::File {
                path,
                content,
                mode,
                owner,
                ..
            } => put_for(*owner, path, content, *mode),
            Step::FileIfAbsent { path, content, .. } => put(path, content, 0o644),
            Step::Link { path, target, .. } => link(path, target),
            Step::Remove { path, .. } => fs::remove_file(path).map_err(InstallError::io("remove", path)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Directory { path, .. } => write!(f, "make directory {}", shown_path(path))?,
            Step::File { path, what, .. } if path.symlink_metadata().is_ok() => {
                write!(f, "replace {}, {what}", shown_path(path))?;
            }
            Step::File { path, what, .. } | Step::FileIfAbsent { path, what, .. } => {
                write!(f, "write {}, {what}", shown_path(path))?;
            }
            Step::Link {
                path, target, what, ..
            } => write!(f, "link {} to {}, {what}", shown_path(path), shown_path(target))?,
            Step::Remove { path, what, .. } => write!(f, "remove {}, {what}", shown_path(path))?,
        }
        match self.kept() {
            Some((_, kept)) => write!(f, "; what is there now is kept as {}", shown_path(kept)),
            None => Ok(()),
        }
    }
}

/// Makes a link, or replaces one. It is made in the directory above and moved: in a directory of plugins a
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
