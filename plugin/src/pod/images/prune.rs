//! Removes versions of images that no container needs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::hand_over::{check_image_name, remove};
use super::{CURRENT, ImageError, Needs};
use crate::select::is_version;

/// The time for which a version without a link stays: a container that is being created may use it, and not
/// be in the ledger yet.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// The beginning of the name of a directory into which a version is copied.
pub(super) const UNFINISHED: &str = ".new-";

/// Removes the unneeded versions from the images at `root`. `names` are those that the pod has; `needs` is
/// called only if a version may be removed.
///
/// # Errors
/// A version cannot be removed.
pub(super) fn prune(
    root: &Path,
    names: &BTreeSet<String>,
    needs: impl FnOnce() -> Needs,
) -> Result<(), ImageError> {
    let images = list(root)?.into_iter();
    let images: Vec<String> = images.filter(|name| check_image_name(name).is_ok()).collect();
    let mut old = Vec::new();
    for name in &images {
        old.extend(old_versions(&root.join(name), names.contains(name))?);
    }
    let unlisted: Vec<&String> = images.iter().filter(|name| !names.contains(*name)).collect();
    if old.is_empty() && unlisted.is_empty() {
        return Ok(());
    }
    let Needs::Versions { versions, links } = needs() else {
        return Ok(());
    };
    for name in unlisted.iter().filter(|_| !links) {
        let link = root.join(name).join(CURRENT);
        if let Ok(version) = fs::read_link(&link) {
            touch(&root.join(name).join(version));
            remove(&link)?;
            tracing::info!(image = %name, "the pod no longer has this hook image: no new container gets its programs");
        }
    }
    for version in old.iter().filter(|version| !versions.contains(*version)) {
        remove(version)?;
        tracing::info!(version = %version.display(), "removed a version of a hook image, because no container needs it");
    }
    for name in unlisted {
        // Fails as long as the directory is not empty.
        let _ = fs::remove_dir(root.join(name));
    }
    Ok(())
}

/// The versions in `directory` that no link has led to for the grace period.
fn old_versions(directory: &Path, is_listed: bool) -> Result<Vec<PathBuf>, ImageError> {
    let current = fs::read_link(directory.join(CURRENT)).ok();
    let mut old = Vec::new();
    for name in list(directory)? {
        let path = directory.join(&name);
        if name.starts_with(UNFINISHED) && !is_listed {
            remove(&path)?;
        }
        if is_version(&name) && current.as_deref() != Some(Path::new(&name)) && is_old(&path) {
            old.push(path);
        }
    }
    Ok(old)
}

fn is_old(version: &Path) -> bool {
    let changed = version.symlink_metadata().and_then(|found| found.modified());
    let age = changed.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.is_ok_and(|age| age >= GRACE)
}

/// Records that from now on no link leads to `version`.
pub(super) fn touch(version: &Path) {
    let touched = fs::File::open(version).and_then(|directory| directory.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::warn!(version = %version.display(), %error, "cannot record when the version went out of use");
    }
}

/// The names in a directory; none if it does not exist.
pub(super) fn list(directory: &Path) -> Result<Vec<String>, ImageError> {
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(ImageError::io("list", directory))?,
    };
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}
