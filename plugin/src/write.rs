//! Writes files whole or not at all, and keeps backups.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::geteuid;

use crate::model::PathError;

/// The ending of a backup's name; from the second on, a number follows.
const BACKUP: &str = ".before-nri-oci-hooks";

/// Whether the file at `path` is exactly the result of [`put`].
pub(crate) fn is_put(path: &Path, content: &[u8], mode: u32) -> bool {
    let is_ours = |file: fs::Metadata| {
        let has_mode = file.permissions().mode() & 0o7777 == mode;
        file.is_file() && has_mode && file.uid() == geteuid().as_raw()
    };
    path.symlink_metadata().is_ok_and(is_ours) && fs::read(path).is_ok_and(|there| there == *content)
}

/// Writes a file under a temporary name and renames it into place.
pub(crate) fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), PathError> {
    write(path, content, mode, None)
}

/// Replaces an existing file, and keeps its mode and owner.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), PathError> {
    let there = fs::metadata(path).map_err(PathError::io("read", path))?;
    let mode = there.permissions().mode() & 0o7777;
    write(path, content, mode, Some((there.uid(), there.gid())))
}

fn write(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> Result<(), PathError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
    made.map_err(PathError::io("make directory", parent))?;
    let temporary = temporary(path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        if let Some((user, group)) = owner {
            fchown(&file, Some(user), Some(group))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        PathError::io("write", path)(error)
    })
}

/// Copies the file at `path` to a backup beside it, readable only by root, if the file exists and no backup
/// is equal.
pub(crate) fn back_up(path: &Path) -> Result<(), PathError> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(PathError::io("read", path)(error)),
    };
    let existing = backups(path);
    let is_same = |name: &PathBuf| fs::read(name).is_ok_and(|there| there == content);
    if existing.iter().any(is_same) {
        return Ok(());
    }
    put(&backup(path, existing.len() + 1), &content, 0o600)
}

/// The backups of the file at `path`, the oldest first.
pub(crate) fn backups(path: &Path) -> Vec<PathBuf> {
    let names = (1..).map(|number| backup(path, number));
    names.take_while(|name| name.symlink_metadata().is_ok()).collect()
}

fn backup(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(BACKUP);
    if number > 1 {
        name.push(format!(".{number}"));
    }
    path.with_file_name(name)
}

/// A name that no program and no configuration has: it begins with a dot. No other process uses it either:
/// processes of two pods may have the same number.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    path.with_file_name(format!(".{name}.new-{}-{}", std::process::id(), now.as_nanos()))
}
