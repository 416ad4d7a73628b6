//! Keeping what is not ours, under a name that nothing has yet.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::write::{make_parent, put};

/// What a backup's name ends with; from the second on, a number follows.
const BACKUP: &str = ".before-nri-oci-hooks";

/// Where what is at `path` is to be kept: in `directory`, under a name that is free, or where the very same
/// is kept already.
pub(super) fn fresh_name(path: &Path, directory: &Path) -> PathBuf {
    let is_good = |name: &PathBuf| name.symlink_metadata().is_err() || is_kept(path, name);
    let first = name(path, directory, 1);
    (1..)
        .map(|number| name(path, directory, number))
        .find(is_good)
        .unwrap_or(first)
}

/// What is kept of what was at `path`.
pub(super) fn backups(path: &Path, directory: &Path) -> Vec<PathBuf> {
    let is_there = |name: &PathBuf| name.symlink_metadata().is_ok();
    (1..)
        .map(|number| name(path, directory, number))
        .take_while(is_there)
        .collect()
}

/// Keeps the file at `path` beside it, if there is one.
pub(crate) fn back_up(path: &Path) -> Result<(), InstallError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    keep(path, &fresh_name(path, directory))
}

/// Keeps what is at `path` as `kept`: a file not executable and for root alone, as it may be private, and
/// a link as a link.
pub(super) fn keep(path: &Path, kept: &Path) -> Result<(), InstallError> {
    if is_kept(path, kept) {
        return Ok(());
    }
    if let Ok(target) = fs::read_link(path) {
        make_parent(kept)?;
        return symlink(target_from(path, kept, &target), kept).map_err(InstallError::io("link", kept));
    }
    if !path.is_file() {
        return Ok(());
    }
    let content = fs::read(path).map_err(InstallError::io("read", path))?;
    put(kept, &content, 0o600)
}

/// Whether `kept` is the same as `path`.
fn is_kept(path: &Path, kept: &Path) -> bool {
    match (fs::read_link(path), fs::read_link(kept)) {
        (Ok(target), Ok(there)) => target_from(path, kept, &target) == there,
        (Err(_), Err(_)) => kept.is_file() && fs::read(path).ok() == fs::read(kept).ok(),
        _ => false,
    }
}

/// What the link at `path` must lead to when it is at `kept`, in the same directory or the one above.
fn target_from(path: &Path, kept: &Path, target: &Path) -> PathBuf {
    match path.parent() {
        Some(directory) if Some(directory) != kept.parent() && !target.has_root() => {
            Path::new(directory.file_name().unwrap_or_default()).join(target)
        }
        _ => target.to_owned(),
    }
}

fn name(path: &Path, directory: &Path, number: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(BACKUP);
    if number > 1 {
        name.push(format!(".{number}"));
    }
    directory.join(name)
}
