//! Files that are kept on the host as a folder of the pod has them: the mount of a ConfigMap, which
//! changes while the pod runs.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::HostError;
use crate::install::{back_up, is_put, put};
use crate::spec::MAX_SIZE;

/// The folder below with hook-specs that pods may pick; there are no others.
const SPECS: &str = "specs";

/// Where it is noted, one name a line, which files were put there. The name begins with a dot, as no
/// file that is put there does.
const NOTE: &str = ".files-from";

const MODE: u32 = 0o644;

/// Keeps files of the pod on the host.
///
/// A ConfigMap's mount is not to be trusted as it is: its folders may be written to by all, and its
/// files are links. So they are copied, as root's own.
#[derive(Debug)]
pub struct Mirror {
    /// Open, so that it is found after the host was entered.
    folder: File,
    /// What it was called in the pod.
    from: PathBuf,
    to: PathBuf,
    /// What was there when `to` was last made the same.
    seen: Option<Vec<Found>>,
}

/// A file that is to be copied, and what tells whether it has changed.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// From the folder on.
    name: PathBuf,
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
}

impl Mirror {
    /// Of the folder `from`, to be opened before the host is entered; `to` is on the host.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(from: &Path, to: &Path) -> Result<Mirror, HostError> {
        Ok(Mirror {
            folder: File::open(from).map_err(HostError::io("open", from))?,
            from: from.into(),
            to: to.into(),
            seen: None,
        })
    }

    /// Makes the folder on the host the same, if something has changed in the pod's. Says whether.
    ///
    /// A file of somebody else that is in the way is kept beside it.
    ///
    /// # Errors
    /// A file cannot be read or written; those that can be are.
    pub fn keep_up(&mut self) -> Result<bool, HostError> {
        let found = self.look()?;
        if self.seen.as_ref() == Some(&found) {
            return Ok(false);
        }
        let before = self.noted()?;
        let now: BTreeSet<PathBuf> = found.iter().map(|file| file.name.clone()).collect();
        // Noted first: what was put there is never taken for somebody else's.
        self.note(before.union(&now))?;
        for file in &found {
            self.copy(&file.name, before.contains(&file.name))?;
        }
        for name in before.difference(&now) {
            let path = self.to.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(HostError::io("remove", path)(error));
                }
                _ => {}
            }
        }
        self.note(now.iter())?;
        self.seen = Some(found);
        Ok(true)
    }

    /// The files there are, in the order in which they are to be copied: what names others comes
    /// after them.
    fn look(&self) -> Result<Vec<Found>, HostError> {
        let mut all = Vec::new();
        for folder in [Path::new(SPECS), Path::new("")] {
            let path = self.from.join(folder);
            let listed = match fs::read_dir(self.real(folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder != Path::new("") => continue,
                listed => listed.map_err(HostError::io("list", &path))?,
            };
            let mut files = Vec::new();
            for entry in listed {
                let name = entry.map_err(HostError::io("list", &path))?.file_name();
                if name.as_encoded_bytes().starts_with(b".") {
                    // How a ConfigMap's mount keeps its files.
                    continue;
                }
                let name = folder.join(name);
                let about = fs::metadata(self.real(&name));
                let about = about.map_err(HostError::io("look at", self.from.join(&name)))?;
                if about.is_file() {
                    files.push(Found::new(name, &about));
                }
            }
            files.sort_by(|one, other| one.name.cmp(&other.name));
            all.extend(files);
        }
        all.sort_by_key(|file| file.name.extension().is_some_and(|extension| extension == "toml"));
        Ok(all)
    }

    fn copy(&self, name: &Path, is_ours: bool) -> Result<(), HostError> {
        let from = self.from.join(name);
        let mut content = Vec::new();
        File::open(self.real(name))
            .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut content))
            .map_err(HostError::io("read", &from))?;
        if content.len() as u64 > MAX_SIZE {
            return Err(HostError::TooLarge(from));
        }
        let to = self.to.join(name);
        if is_put(&to, &content, MODE) {
            return Ok(());
        }
        if !is_ours {
            back_up(&to).map_err(HostError::File)?;
        }
        put(&to, &content, MODE).map_err(HostError::File)
    }

    /// The path under which a file of the folder is found, wherever the folder is.
    fn real(&self, name: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(name)
    }

    /// What was put there before.
    fn noted(&self) -> Result<BTreeSet<PathBuf>, HostError> {
        let path = self.to.join(NOTE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .lines()
                .map(PathBuf::from)
                .filter(|name| is_inside(name))
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(HostError::io("read", path)(error)),
        }
    }

    fn note<'n>(&self, names: impl Iterator<Item = &'n PathBuf>) -> Result<(), HostError> {
        let text: String = names.map(|name| format!("{}\n", name.display())).collect();
        put(&self.to.join(NOTE), text.as_bytes(), 0o600).map_err(HostError::File)
    }
}

impl Found {
    fn new(name: PathBuf, about: &Metadata) -> Found {
        Found {
            name,
            inode: (about.dev(), about.ino()),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
        }
    }
}

/// Whether a name is one that may have been noted: what a damaged note says is not removed.
fn is_inside(name: &Path) -> bool {
    let file = name.strip_prefix(SPECS).unwrap_or(name);
    file.components().count() == 1 && file.file_name().is_some() && !file.to_string_lossy().starts_with('.')
}
