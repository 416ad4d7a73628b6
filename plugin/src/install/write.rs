//! Writing a file whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::geteuid;

use super::InstallError;

/// Whether the file at `path` is just what [`put`] would make of it.
pub(crate) fn is_put(path: &Path, content: &[u8], mode: u32) -> bool {
    let is_ours = |file: fs::Metadata| {
        let has_mode = file.permissions().mode() & 0o7777 == mode;
        file.is_file() && has_mode && file.uid() == geteuid().as_raw()
    };
    path.symlink_metadata().is_ok_and(is_ours) && fs::read(path).is_ok_and(|there| there == *content)
}

/// Writes a file aside and renames it into place. It becomes executable only there: a runtime would
/// start whatever is in its directory of plugins.
pub(crate) fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), InstallError> {
    put_for(None, path, content, mode)
}

/// As [`put`], for an owner: user and group.
pub(super) fn put_for(
    owner: Option<(u32, u32)>,
    path: &Path,
    content: &[u8],
    mode: u32,
) -> Result<(), InstallError> {
    make_parent(path)?;
    let aside = aside(path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(content)?;
        if let Some((user, group)) = owner {
            fchown(&file, Some(user), Some(group))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&aside);
        InstallError::io("write", path)(error)
    })
}

pub(super) fn make_parent(path: &Path) -> Result<(), InstallError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
    made.map_err(InstallError::io("make directory", parent))
}

/// A name that is no program's and no configuration's: it begins with a dot. Nobody else's either:
/// processes of two pods may have the same number.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    path.with_file_name(format!(".{name}.new-{}-{}", std::process::id(), now.as_nanos()))
}
