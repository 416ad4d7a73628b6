//! Where the runtimes are that `hack/fetch-runtimes` fetched and `hack/build-runtimes` built.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The environment variable that names the cache directory.
pub const VARIABLE: &str = "NRI_OCI_HOOKS_CACHE";

/// The directory of one fetched package, `name` as `hack/fetch-runtimes` calls it.
///
/// # Errors
/// It has not been fetched; the message names the command that does.
pub fn directory(name: &str) -> Result<PathBuf> {
    find(name, "hack/fetch-runtimes")
}

/// The directory of one runtime that was built, `name` as `hack/build-runtimes` calls it.
///
/// # Errors
/// It has not been built; the message names the command that does.
pub fn built(name: &str) -> Result<PathBuf> {
    find(name, &format!("hack/build-runtimes {name}"))
}

/// A runtime in the cache, which `command` puts there.
fn find(name: &str, command: &str) -> Result<PathBuf> {
    let directory = root()?.join(name);
    ensure!(
        directory.join("version").exists(),
        "{} is missing: run {command} as root, then run this again",
        directory.display()
    );
    Ok(directory)
}

/// The shared-library directory inside an unpacked package.
///
/// # Errors
/// The package has none.
pub fn library_directory(package: &Path) -> Result<PathBuf> {
    let multiarch = package.join("usr/lib");
    std::fs::read_dir(&multiarch)
        .with_context(|| format!("read {}", multiarch.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .with_context(|| format!("{} holds no library directory", multiarch.display()))
}

/// The same default as in `hack/lib/common.sh`.
pub(crate) fn root() -> Result<PathBuf> {
    if let Some(directory) = env::var_os(VARIABLE) {
        return Ok(directory.into());
    }
    let caches = match env::var_os("XDG_CACHE_HOME") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(env::var_os("HOME").context("neither HOME nor XDG_CACHE_HOME is set")?)
            .join(".cache"),
    };
    Ok(caches.join("nri-oci-hooks"))
}
