//! The directories of hooks.d: their files that count, and the order of those.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::last_good::{LastGoodSpec, is_not_answered};
use super::{Copies, Deliveries, Format, LoadedSpec, OlderVersion};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{bounded_list, escaped};
use crate::trust::{Fault, PathCache, TrustError};

/// The maximum number of files that count; the last in their order are ignored.
const MAX_FILES: usize = 256;

/// The directories of hooks.d, and the active files.
///
/// As in podman and CRI-O, files that end in `.json` count. One in a later directory masks one of the same
/// name in an earlier directory, valid or not. Their order is that of their names in lower case. An invalid
/// file is ignored with a warning, and the others count.
#[derive(Debug, Clone, Default)]
pub(super) struct HooksD {
    directories: Vec<Directory>,
    /// By position in the order.
    files: BTreeMap<Name, LastGoodSpec>,
    too_many: bool,
    copies: Copies,
}

/// A directory or file of hooks.d whose file system does not answer.
#[derive(Debug)]
pub(super) struct NotAnswered {
    pub(super) path: Arc<str>,
    pub(super) errors: Vec<Diagnostic>,
}

/// A file name in lower case, then as it is: the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Arc<str>, Arc<str>);

impl HooksD {
    pub(super) fn new(directories: &[Arc<str>], copies: Copies) -> Self {
        HooksD {
            directories: directories.iter().cloned().map(Directory::new).collect(),
            copies,
            ..HooksD::default()
        }
    }

    /// As [`HooksD::new`], with the active files of `earlier` for the same directories and files.
    pub(super) fn after(directories: &[Arc<str>], earlier: &HooksD) -> Self {
        let known = |path: &Arc<str>| {
            earlier
                .directories
                .iter()
                .find(|directory| directory.path == *path)
        };
        let directory = |path: &Arc<str>| {
            known(path)
                .cloned()
                .unwrap_or_else(|| Directory::new(path.clone()))
        };
        HooksD {
            directories: directories.iter().map(directory).collect(),
            files: earlier.files.clone(),
            too_many: earlier.too_many,
            copies: earlier.copies.clone(),
        }
    }

    /// The active hooks, in order. Every directory and file is checked again; unchanged files are not read
    /// again.
    ///
    /// Fails if a file system does not answer, because then the hooks are unknown.
    pub(super) fn current(
        &mut self,
        path_cache: &mut PathCache,
        deliveries: &Deliveries,
    ) -> Result<Vec<Arc<LoadedSpec>>, NotAnswered> {
        if self.directories.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: BTreeMap<Name, Arc<str>> = BTreeMap::new();
        for directory in &mut self.directories {
            directory.refresh(path_cache)?;
            for name in &*directory.names {
                let file = format!("{}/{name}", directory.path);
                found.insert(Name(name.to_lowercase().into(), name.clone()), file.into());
            }
        }
        self.report_too_many(found.len());
        let found: BTreeMap<Name, Arc<str>> = found.into_iter().take(MAX_FILES).collect();
        self.files
            .retain(|name, spec| found.get(name).is_some_and(|file| file == spec.file()));
        for (name, file) in found {
            let new = || LastGoodSpec::new(Format::HooksD, file, self.copies.clone());
            self.files.entry(name).or_insert_with(new);
        }
        let mut current = Vec::new();
        for spec in self.files.values_mut() {
            match spec.current(path_cache, deliveries) {
                Ok(spec) => current.push(spec),
                Err(errors) if is_not_answered(&errors) => {
                    let path = spec.file().clone();
                    return Err(NotAnswered { path, errors });
                }
                Err(_) => {}
            }
        }
        Ok(current)
    }

    /// The last good versions of the files, in order.
    pub(super) fn good(&self) -> impl Iterator<Item = &Arc<LoadedSpec>> {
        self.files.values().filter_map(LastGoodSpec::good)
    }

    /// The errors of directories and files at the last check.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        let of_directories = self.directories.iter().flat_map(|directory| &directory.errors);
        of_directories.chain(self.files.values().flat_map(LastGoodSpec::errors))
    }

    /// The files of which an older version is active.
    pub(super) fn older(&self) -> impl Iterator<Item = OlderVersion> {
        self.files.values().filter_map(LastGoodSpec::older)
    }

    fn report_too_many(&mut self, count: usize) {
        let too_many = count > MAX_FILES;
        if too_many && !self.too_many {
            tracing::error!(
                count,
                "more than {MAX_FILES} hooks.d files: the last ones are ignored"
            );
        }
        self.too_many = too_many;
    }
}

#[derive(Debug, Clone)]
struct Directory {
    path: Arc<str>,
    /// Its files that count, at the last successful check.
    names: Arc<[Arc<str>]>,
    /// The errors at the last check; empty if there were none.
    errors: Vec<Diagnostic>,
}

impl Directory {
    fn new(path: Arc<str>) -> Self {
        Directory {
            path,
            names: Arc::default(),
            errors: Vec::new(),
        }
    }

    fn refresh(&mut self, path_cache: &mut PathCache) -> Result<(), NotAnswered> {
        match self.list(path_cache) {
            Ok(names) => {
                self.names = names;
                self.errors.clear();
            }
            Err(errors) if is_not_answered(&errors) => {
                let path = self.path.clone();
                return Err(NotAnswered { path, errors });
            }
            // Logged once for each change.
            Err(errors) if self.errors != errors => {
                self.errors = errors;
                tracing::error!(
                    directory = &*self.path,
                    errors = bounded_list(&self.errors),
                    "cannot list the hooks.d directory: its active files stay active, and new ones are not read"
                );
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// The names of its files; none if the directory does not exist.
    fn list(&self, path_cache: &mut PathCache) -> Result<Arc<[Arc<str>]>, Vec<Diagnostic>> {
        let error =
            |rule, message: String, help: String| vec![Diagnostic::of_file(&self.path, rule, message, help)];
        let untrusted = |fault: TrustError| error(fault.rule(), fault.to_string(), fault.help());
        let directory = match path_cache.directory(Path::new(&*self.path)) {
            Err(TrustError {
                fault: Fault::NotFound,
                ..
            }) => return Ok(Arc::default()),
            other => other.map_err(untrusted)?,
        };
        if directory.is_shared() {
            let message =
                "users other than root can create files in it, which would mask those of other directories";
            let help = format!("run: chmod go-w {}", escaped(&self.path));
            return Err(error(Rule::WritableByOthers, message.into(), help));
        }
        let names = directory.names().map_err(untrusted)?;
        let names = names.iter().map(|name| name.to_string_lossy());
        let files = names.filter(|name| name.ends_with(".json"));
        Ok(files.map(Arc::from).collect())
    }
}
