//! A private directory to build hostile trees in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::diagnostic::Rule;
use crate::trust::{PathCache, TrustError, TrustedFile};

pub(super) const NOBODY: u32 = 65534;

/// A private directory to build hostile trees in: `/bin` with a good hook, `/hook`, in it.
pub(super) struct Tree {
    pub(super) root: TempDir,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let owner = fs::metadata(root.path()).unwrap().uid();
        assert_eq!(
            owner, 0,
            "these tests make files of other users: run them as root"
        );
        let tree = Tree { root };
        tree.dir("bin", 0o755);
        tree.file("bin/hook", 0o755);
        tree
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn own(&self, name: &str, uid: u32) {
        lchown(self.path(name), Some(uid), None).unwrap();
    }

    pub(super) fn dir(&self, name: &str, mode: u32) {
        fs::create_dir_all(self.path(name)).unwrap();
        self.mode(name, mode);
    }

    pub(super) fn file(&self, name: &str, mode: u32) {
        fs::write(self.path(name), "#!/bin/sh\n").unwrap();
        self.mode(name, mode);
    }

    pub(super) fn link(&self, name: &str, target: impl AsRef<Path>) {
        symlink(target, self.path(name)).unwrap();
    }

    pub(super) fn execute(&self, name: &str) -> Result<PathBuf, (Rule, PathBuf)> {
        self.checked(name, TrustedFile::to_execute, PathCache::file_to_execute)
    }

    pub(super) fn read(&self, name: &str) -> Result<PathBuf, (Rule, PathBuf)> {
        self.checked(name, TrustedFile::to_read, PathCache::file_to_read)
    }

    /// The result of a walk on its own. A path cache must give the same, whatever it has cached.
    fn checked(
        &self,
        name: &str,
        alone: fn(&Path) -> Result<TrustedFile, TrustError>,
        cached: fn(&mut PathCache, &Path) -> Result<TrustedFile, TrustError>,
    ) -> Result<PathBuf, (Rule, PathBuf)> {
        let expected = outcome(alone(&self.path(name)));
        let mut path_cache = PathCache::new();
        for requested in ["bin/hook", name, name] {
            let result = outcome(cached(&mut path_cache, &self.path(requested)));
            if requested == name {
                assert_eq!(result, expected, "{name} in a path cache");
            }
        }
        expected
    }
}

pub(super) fn outcome(result: Result<TrustedFile, TrustError>) -> Result<PathBuf, (Rule, PathBuf)> {
    result
        .map(|file| file.real_path().to_owned())
        .map_err(|error| (error.rule(), error.component))
}
