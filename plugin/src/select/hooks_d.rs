//! The directories of hooks.d: which of their files count, and in which order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::last_good::{LastGoodSpec, is_not_answered};
use super::{Copies, Deliveries, Format, LoadedSpec, OlderVersion};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{bounded_list, shown};
use crate::trust::{Fault, PathCache, TrustError};

/// How many files count; more are ignored, the last in their order first.
const MAX_FILES: usize = 256;

/// The directories of hooks.d, and the files in force.
///
/// As podman and CRI-O have it: files that end in `.json`; one in a later directory masks one of the
/// same name in an earlier directory, be it good or bad; their order is that of their names in lower
/// case. A file that is no good is ignored, loudly, and the others count.
#[derive(Debug, Clone, Default)]
pub(super) struct HooksD {
    directories: Vec<Directory>,
    /// By place in the order.
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

    /// As [`HooksD::new`], with what `earlier` has in force of the same directories and files.
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

    /// The hooks in force, in order. Every directory and file is looked at again; what has not
    /// changed is not read again.
    ///
    /// Fails if a file system does not answer: nobody knows then which hooks there are.
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
            directory.look(path_cache)?;
            for name in &*directory.names {
                let file = format!("{}/{name}", directory.path);
                found.insert(Name(name.to_lowercase().into(), name.clone()), file.into());
            }
        }
        self.tell_of_too_many(found.len());
        let found: BTreeMap<Name, Arc<str>> = found.into_iter().take(MAX_FILES).collect();
        self.files
            .retain(|name, kept| found.get(name).is_some_and(|file| file == kept.file()));
        for (name, file) in found {
            let new = || LastGoodSpec::new(Format::HooksD, file, self.copies.clone());
            self.files.entry(name).or_insert_with(new);
        }
        let mut current = Vec::new();
        for kept in self.files.values_mut() {
            match kept.current(path_cache, deliveries) {
                Ok(spec) => current.push(spec),
                Err(errors) if is_not_answered(&errors) => {
                    let path = kept.file().clone();
                    return Err(NotAnswered { path, errors });
                }
                Err(_) => {}
            }
        }
        Ok(current)
    }

    /// The files as they were last good, in order.
    pub(super) fn good(&self) -> impl Iterator<Item = &Arc<LoadedSpec>> {
        self.files.values().filter_map(LastGoodSpec::good)
    }

    /// What was wrong with directories and files when they were last looked at.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        let of_directories = self.directories.iter().flat_map(|directory| &directory.errors);
        of_directories.chain(self.files.values().flat_map(LastGoodSpec::errors))
    }

    /// The files of which an older version is active.
    pub(super) fn older(&self) -> impl Iterator<Item = OlderVersion> {
        self.files.values().filter_map(LastGoodSpec::older)
    }

    fn tell_of_too_many(&mut self, count: usize) {
        let too_many = count > MAX_FILES;
        if too_many && !self.too_many {
            tracing::error!(
                count,
                "more than {MAX_FILES} hooks.d files: the last in their order are ignored"
            );
        }
        self.too_many = too_many;
    }
}

#[derive(Debug, Clone)]
struct Directory {
    path: Arc<str>,
    /// The files in it that count, when it could last be looked at.
    names: Arc<[Arc<str>]>,
    /// What was wrong with it last time; empty if nothing.
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

    fn look(&mut self, path_cache: &mut PathCache) -> Result<(), NotAnswered> {
        match self.list(path_cache) {
            Ok(names) => {
                self.names = names;
                self.errors.clear();
            }
            Err(errors) if is_not_answered(&errors) => {
                let path = self.path.clone();
                return Err(NotAnswered { path, errors });
            }
            // Once per change.
            Err(errors) if self.errors != errors => {
                self.errors = errors;
                tracing::error!(
                    directory = &*self.path,
                    errors = bounded_list(&self.errors),
                    "hooks.d directory not listed: those of its files that were in force stay so, and no more"
                );
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// The names of its files; of none if there is no such directory.
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
            let help = format!("run: chmod go-w {}", shown(&self.path));
            return Err(error(Rule::WritableByOthers, message.into(), help));
        }
        let names = directory.names().map_err(untrusted)?;
        let names = names.iter().map(|name| name.to_string_lossy());
        let files = names.filter(|name| name.ends_with(".json"));
        Ok(files.map(Arc::from).collect())
    }
}
