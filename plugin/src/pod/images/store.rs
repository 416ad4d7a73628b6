//! The images on the host: each version in a directory named by its digest, whole or not at all, and a link
//! to the current one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::hand_over::{FILES, IMAGES, check_image_name, reference, remove};
use super::prune::{UNFINISHED, list, prune, touch};
use super::tree::{Content, make_directory, sync};
use super::{CURRENT, ImageError, Needs};
use crate::pod::PodError;
use crate::pod::ownership::{PodDirectory, lock};
use crate::select::{REFERENCE, is_version};
use crate::trust::TrustedDir;
use crate::trust::access::Use;
use crate::write::{is_put, put};

const LOCK: &str = ".lock";

/// Puts images of the pod on the host.
#[derive(Debug)]
pub(crate) struct HookImages {
    /// The directory from the init containers; `None` if the pod has no images.
    handed_over: Option<PodDirectory>,
    /// The directory on the host.
    to: PathBuf,
    /// Locked by the pod that owns the images, as long as the pod lives.
    lock: Option<File>,
    /// The result of each image.
    images: BTreeMap<String, Result<String, ImageError>>,
    /// An error that concerns all images.
    error: Option<ImageError>,
}

impl HookImages {
    /// For the directory `from`, to be opened before the daemon enters the host; `to` is on the host. Without
    /// `from`, images of earlier pods are removed as soon as no container needs them.
    ///
    /// # Errors
    /// The directory does not exist.
    pub(crate) fn open(from: Option<&Path>, to: &Path) -> Result<HookImages, PodError> {
        Ok(HookImages {
            handed_over: from.map(PodDirectory::open).transpose()?,
            to: to.into(),
            lock: None,
            images: BTreeMap::new(),
            error: None,
        })
    }

    /// Installs the pod's images on the host, unless it has them, and removes unneeded versions. Returns
    /// whether a link leads to another version now. Errors are in [`HookImages::errors`]. Blocks.
    pub(crate) fn put(&mut self, needs: impl FnOnce() -> Needs) -> bool {
        let put = self.try_put(needs);
        let has_changed = *put.as_ref().unwrap_or(&false);
        self.error = put.err();
        has_changed
    }

    /// The errors, one text for each image.
    pub(crate) fn errors(&self) -> Vec<String> {
        let failed = self.images.iter();
        let failed =
            failed.filter_map(|(name, put)| Some(format!("hook image {name}: {}", put.as_ref().err()?)));
        let of_all = self.error.iter().map(|error| format!("hook images: {error}"));
        of_all.chain(failed).collect()
    }

    fn try_put(&mut self, needs: impl FnOnce() -> Needs) -> Result<bool, ImageError> {
        let _access = Use::Write
            .begin(&self.to)
            .map_err(|hangs| ImageError::io("write to", &self.to)(hangs.of(&self.to)))?;
        if self.handed_over.is_none() && !self.to.join(LOCK).exists() || !self.has_lock()? {
            return Ok(false);
        }
        let before = self.current();
        let names = match &self.handed_over {
            Some(handed_over) => list(&handed_over.path(Path::new(IMAGES)))?,
            None => Vec::new(),
        };
        let names: BTreeSet<String> = names.into_iter().collect();
        for name in &names {
            if !self.is_done(name) {
                let put = self.put_image(name);
                self.images.insert(name.clone(), put);
            }
        }
        prune(&self.to, &names, needs)?;
        Ok(before != self.current())
    }

    /// Whether the image needs no more work.
    fn is_done(&self, name: &str) -> bool {
        match self.images.get(name) {
            Some(Ok(version)) => {
                let directory = self.to.join(name);
                let leads_to = fs::read_link(directory.join(CURRENT));
                leads_to.is_ok_and(|leads_to| leads_to == Path::new(version))
                    && directory.join(version).is_dir()
            }
            Some(Err(error)) => !error.may_pass(),
            None => false,
        }
    }

    /// Installs an image on the host. Returns its version.
    fn put_image(&self, name: &str) -> Result<String, ImageError> {
        check_image_name(name)?;
        let image = Path::new(IMAGES).join(name);
        let handed_over = self.handed_over.as_ref().map(|it| it.path(&image));
        let handed_over = handed_over.unwrap_or_default();
        let image = reference(&handed_over)?;
        let from = handed_over.join(FILES);
        let directory = self.to.join(name);
        if !directory.is_dir() {
            make_directory(&directory)?;
        }
        check_directory(&directory)?;
        let version = Content::read(&from, None)?.version;
        let path = directory.join(&version);
        if !is_whole(&path, &version) {
            self.copy(&from, &directory, &version)?;
        }
        self.note_reference(&path, &image)?;
        link(&directory, &version)?;
        Ok(version)
    }

    /// Copies a version to a temporary directory and renames it into place; it replaces a damaged one.
    fn copy(&self, from: &Path, directory: &Path, version: &str) -> Result<(), ImageError> {
        let temporary = directory.join(format!("{UNFINISHED}{version}"));
        remove(&temporary)?;
        make_directory(&temporary)?;
        let copied = Content::read(from, Some(&temporary)).and_then(|content| {
            let path = directory.join(&content.version);
            remove(&path)?;
            fs::rename(&temporary, &path).map_err(ImageError::io("write", path))
        });
        if copied.is_err() {
            let _ = remove(&temporary);
        }
        copied?;
        sync(directory)
    }

    fn note_reference(&self, version: &Path, image: &str) -> Result<(), ImageError> {
        let (path, text) = (version.join(REFERENCE), format!("{image}\n"));
        if is_put(&path, text.as_bytes(), 0o644) {
            return Ok(());
        }
        let failed = |error| ImageError::io("write", &path)(std::io::Error::other(error));
        put(&path, text.as_bytes(), 0o644).map_err(failed)
    }

    /// The targets of the links of the pod's images.
    fn current(&self) -> BTreeMap<String, Option<PathBuf>> {
        let names = list(&self.to).unwrap_or_default().into_iter();
        let lead = |name: String| {
            let to = fs::read_link(self.to.join(&name).join(CURRENT)).ok();
            (name, to)
        };
        names.map(lead).collect()
    }

    fn has_lock(&mut self) -> Result<bool, ImageError> {
        if self.lock.is_some() {
            return Ok(true);
        }
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&self.to);
        made.map_err(ImageError::io("make directory", &self.to))?;
        check_directory(&self.to)?;
        self.lock = lock(&self.to.join(LOCK)).map_err(ImageError::Pod)?;
        Ok(self.lock.is_some())
    }
}

/// Fails if users other than root could change the content of `directory`.
fn check_directory(directory: &Path) -> Result<(), ImageError> {
    let trusted = TrustedDir::at(directory).and_then(TrustedDir::unshared);
    trusted.map(drop).map_err(ImageError::Untrusted)
}

/// Whether the version at `path` has exactly the content of its name, and is root's.
fn is_whole(path: &Path, version: &str) -> bool {
    check_directory(path).is_ok() && Content::of_version(path).is_ok_and(|content| content.version == version)
}

/// Points the link in `directory` to `version`, atomically.
fn link(directory: &Path, version: &str) -> Result<(), ImageError> {
    let link = directory.join(CURRENT);
    let before = fs::read_link(&link).ok();
    if before.as_deref() == Some(Path::new(version)) {
        return Ok(());
    }
    if let Some(before) = before.filter(|before| is_version(&before.to_string_lossy())) {
        touch(&directory.join(before));
    }
    let temporary = directory.join(format!("{UNFINISHED}{CURRENT}"));
    remove(&temporary)?;
    symlink(version, &temporary)
        .and_then(|()| fs::rename(&temporary, &link))
        .map_err(ImageError::io("write", &link))?;
    tracing::info!(link = %link.display(), version, "installed this version of the hook image on the host");
    sync(directory)
}
