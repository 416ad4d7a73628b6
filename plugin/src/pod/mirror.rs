//! Copies a directory of the pod to the host: the mount of a ConfigMap, which changes while the pod runs.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::PodError;
use super::check::FileCheck;
use super::ownership::{PodDirectory, lock};
use super::refused::{self, beside, is_beside};
use crate::config::ConfigSource;
use crate::diagnostic::{Diagnostic, Rule};
use crate::spec::MAX_SIZE;
use crate::trust::access::Use;
use crate::write::{back_up, is_put, put};

/// The subdirectory with hook-specs that pods may select; there are no other subdirectories.
const SPECS: &str = "specs";

/// The note of the files from the pod, one name a line. The name of the note begins with a dot; no file from
/// the pod has such a name.
const NOTE: &str = ".files-from";

/// Locked by the process that writes files there, as long as it lives.
const LOCK: &str = ".files-from.lock";

const MODE: u32 = 0o644;

/// Keeps the host's copy of the pod's files up to date.
///
/// A ConfigMap's mount cannot be trusted as it is: all users may write to its directories, and its files are
/// links. So the files are copied, as root's own.
#[derive(Debug)]
pub(crate) struct Mirror {
    directory: PodDirectory,
    /// The path of the directory in the pod.
    from: PathBuf,
    to: PathBuf,
    lock: Option<File>,
}

/// The result of a comparison of the host with the pod's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// The host had the files.
    Unchanged,
    /// The host has the files now.
    Changed,
    /// Another pod owns its files until that pod ends: the old one, while a new one takes over. A change may
    /// reach the two at different times.
    OwnedByAnother,
}

impl Mirror {
    /// For the directory `from`, to be opened before the daemon enters the host; `to` is on the host.
    ///
    /// # Errors
    /// The directory does not exist.
    pub(crate) fn open(from: &Path, to: &Path) -> Result<Mirror, PodError> {
        Ok(Mirror {
            directory: PodDirectory::open(from)?,
            from: from.into(),
            to: to.into(),
            lock: None,
        })
    }

    /// Makes the directory on the host equal to the pod's, unless it is. Reads and writes files, which takes
    /// time.
    ///
    /// A file of another owner in the same place is kept beside the new one. A file that the daemon would
    /// refuse does not replace an active one: it is written beside that one, and reported. `config` is the
    /// daemon's configuration.
    ///
    /// # Errors
    /// A file cannot be read or written; the others are.
    pub(crate) fn refresh(&mut self, config: &ConfigSource) -> Result<Refreshed, PodError> {
        let to = &self.to;
        let _access = Use::Write
            .begin(to)
            .map_err(|hangs| PodError::io("write to", to)(hangs.of(to)))?;
        if !self.has_lock()? {
            return Ok(Refreshed::OwnedByAnother);
        }
        let names = self.files()?;
        let noted = self.noted()?;
        let mut work = Work::default();
        let check = self.check(config)?;
        let mut changed = Vec::new();
        for name in &names {
            match self.change(name) {
                Ok(change) => changed.extend(change.map(|content| (name, content))),
                Err(error) => work.failed(error),
            }
        }
        // The note is first: then a file from the pod is never mistaken for one of another owner.
        let besides = changed.iter().map(|(name, _)| beside(name));
        let ours: BTreeSet<PathBuf> = noted.iter().chain(&names).cloned().chain(besides).collect();
        if ours != noted {
            self.note(ours.iter())?;
        }
        let mut wanted: BTreeSet<PathBuf> = names.iter().cloned().collect();
        for (name, content) in changed {
            match self.replace(name, &content, &noted, &check) {
                Ok(errors) if errors.is_empty() => work.has_changed = true,
                Ok(errors) => {
                    wanted.insert(beside(name));
                    work.refused.extend(errors);
                }
                Err(error) => work.failed(error),
            }
        }
        // By the current configuration.
        let check = FileCheck::new(config, None);
        for name in ours.difference(&wanted.clone()) {
            let path = self.to.join(name);
            if !is_beside(name) && check.needs(&path) && path.exists() {
                wanted.insert(name.clone());
                work.refused.push(missing(&path));
                continue;
            }
            match self.remove(name) {
                Ok(was_there) => work.has_changed |= was_there,
                Err(error) => work.failed(error),
            }
        }
        refused::report(&self.to, &work.refused)?;
        if let Some(error) = work.trouble {
            return Err(error);
        }
        if ours != wanted {
            self.note(wanted.iter())?;
        }
        Ok(match work.has_changed {
            true => Refreshed::Changed,
            false => Refreshed::Unchanged,
        })
    }

    /// The check for the pod's files.
    fn check<'s>(&self, config: &'s ConfigSource) -> Result<FileCheck<'s>, PodError> {
        let name = Path::new(&**config.path()).strip_prefix(&self.to).ok();
        let text = match name {
            Some(name) if self.directory.path(name).is_file() => Some(self.content(name)?),
            _ => None,
        };
        Ok(FileCheck::new(config, text.as_deref()))
    }

    fn has_lock(&mut self) -> Result<bool, PodError> {
        if self.lock.is_some() {
            return Ok(true);
        }
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&self.to);
        made.map_err(PodError::io("make directory", &self.to))?;
        self.lock = lock(&self.to.join(LOCK))?;
        Ok(self.lock.is_some())
    }

    /// The files of the pod, in the order of their copies: files that name others are last.
    fn files(&self) -> Result<Vec<PathBuf>, PodError> {
        let mut all = Vec::new();
        for directory in [Path::new(SPECS), Path::new("")] {
            let path = self.from.join(directory);
            let listed = match fs::read_dir(self.directory.path(directory)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && directory != Path::new("") => {
                    continue;
                }
                listed => listed.map_err(PodError::io("list", &path))?,
            };
            let mut files = Vec::new();
            for entry in listed {
                let name = entry.map_err(PodError::io("list", &path))?.file_name();
                let name = directory.join(name);
                if is_hidden(&name) || is_beside(&name) {
                    continue;
                }
                let about = fs::metadata(self.directory.path(&name));
                if about
                    .map_err(PodError::io("look at", self.from.join(&name)))?
                    .is_file()
                {
                    files.push(name);
                }
            }
            files.sort();
            all.extend(files);
        }
        all.sort_by_key(|name| name.extension().is_some_and(|extension| extension == "toml"));
        Ok(all)
    }

    fn content(&self, name: &Path) -> Result<Vec<u8>, PodError> {
        let from = self.from.join(name);
        let mut content = Vec::new();
        File::open(self.directory.path(name))
            .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut content))
            .map_err(PodError::io("read", &from))?;
        match content.len() as u64 > MAX_SIZE {
            true => Err(PodError::TooLarge(from)),
            false => Ok(content),
        }
    }

    /// The pod's content of `name`, unless the host has the same.
    fn change(&self, name: &Path) -> Result<Option<Vec<u8>>, PodError> {
        let content = self.content(name)?;
        let is_there = is_put(&self.to.join(name), &content, MODE);
        Ok((!is_there).then_some(content))
    }

    /// Writes `content` to the host as `name`, or only beside it. In the second case, returns why the daemon
    /// would refuse it.
    fn replace(
        &self,
        name: &Path,
        content: &[u8],
        noted: &BTreeSet<PathBuf>,
        check: &FileCheck<'_>,
    ) -> Result<Vec<Diagnostic>, PodError> {
        let (to, candidate) = (self.to.join(name), self.to.join(beside(name)));
        for (path, name) in [(&to, name), (&candidate, &beside(name))] {
            if !noted.contains(name) {
                back_up(path).map_err(PodError::File)?;
            }
        }
        if !is_put(&candidate, content, MODE) {
            put(&candidate, content, MODE).map_err(PodError::File)?;
        }
        let errors = check.errors(&to, &candidate);
        if !errors.is_empty() && to.exists() && check.errors(&to, &to).is_empty() {
            return Ok(errors);
        }
        fs::rename(&candidate, &to).map_err(PodError::io("write", to))?;
        Ok(Vec::new())
    }

    /// Returns whether it existed.
    fn remove(&self, name: &Path) -> Result<bool, PodError> {
        let path = self.to.join(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(PodError::io("remove", path)(error)),
        }
    }

    /// The names in the note.
    fn noted(&self) -> Result<BTreeSet<PathBuf>, PodError> {
        let path = self.to.join(NOTE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .lines()
                .map(PathBuf::from)
                .filter(|name| is_inside(name))
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(PodError::io("read", path)(error)),
        }
    }

    fn note<'n>(&self, names: impl Iterator<Item = &'n PathBuf>) -> Result<(), PodError> {
        let text: String = names.map(|name| format!("{}\n", name.display())).collect();
        put(&self.to.join(NOTE), text.as_bytes(), 0o600).map_err(PodError::File)
    }
}

/// The work on the files of a pod.
#[derive(Default)]
struct Work {
    has_changed: bool,
    refused: Vec<Diagnostic>,
    /// The first error.
    trouble: Option<PodError>,
}

impl Work {
    fn failed(&mut self, error: PodError) {
        self.trouble.get_or_insert(error);
    }
}

/// The error that the pod lacks a file that the daemon needs.
fn missing(path: &Path) -> Diagnostic {
    let message = "is no longer among the pod's files; the daemon needs it, so its earlier version stays";
    let help = "add it to the ConfigMap again, or remove its name from the configuration";
    Diagnostic::of_file(&path.to_string_lossy().into(), Rule::NotFound, message, help)
}

/// Whether a ConfigMap's mount uses the name to keep its files.
fn is_hidden(name: &Path) -> bool {
    let file = name.file_name().unwrap_or_default();
    file.as_encoded_bytes().starts_with(b".")
}

/// Whether the note can contain this name: a damaged note must not lead to the removal of other files.
fn is_inside(name: &Path) -> bool {
    let file = name.strip_prefix(SPECS).unwrap_or(name);
    file.components().count() == 1 && file.file_name().is_some() && !file.to_string_lossy().starts_with('.')
}
