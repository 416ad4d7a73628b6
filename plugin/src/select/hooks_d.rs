//! The folders of hooks.d: which of their files count, and in which order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::kept::{KeptSpec, is_not_answered};
use super::{Copies, Deliveries, Format, LoadedSpec, OlderVersion};
use crate::diagnostic::{Diagnostic, Rule, bounded_list, shown};
use crate::trust::{Fault, Survey, TrustError};

/// How many files count; more are ignored, the last in their order first.
const MOST_FILES: usize = 256;

/// The folders of hooks.d, and the files in force.
///
/// As podman and CRI-O have it: files that end in `.json`; one in a later folder masks one of the
/// same name in an earlier folder, be it good or bad; their order is that of their names in lower
/// case. A file that is no good is ignored, loudly, and the others count.
#[derive(Debug, Clone, Default)]
pub(super) struct HooksD {
    folders: Vec<Folder>,
    /// By place in the order.
    files: BTreeMap<Name, KeptSpec>,
    too_many: bool,
    copies: Copies,
}

/// A folder or file of hooks.d whose file system does not answer.
#[derive(Debug)]
pub(super) struct NotAnswered {
    pub(super) path: Arc<str>,
    pub(super) mistakes: Vec<Diagnostic>,
}

/// A file name in lower case, then as it is: the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Arc<str>, Arc<str>);

impl HooksD {
    pub(super) fn new(folders: &[Arc<str>], copies: Copies) -> Self {
        HooksD {
            folders: folders.iter().cloned().map(Folder::new).collect(),
            copies,
            ..HooksD::default()
        }
    }

    /// As [`HooksD::new`], with what `earlier` has in force of the same folders and files.
    pub(super) fn after(folders: &[Arc<str>], earlier: &HooksD) -> Self {
        let known = |path: &Arc<str>| earlier.folders.iter().find(|folder| folder.path == *path);
        let folder = |path: &Arc<str>| known(path).cloned().unwrap_or_else(|| Folder::new(path.clone()));
        HooksD {
            folders: folders.iter().map(folder).collect(),
            files: earlier.files.clone(),
            too_many: earlier.too_many,
            copies: earlier.copies.clone(),
        }
    }

    /// The hooks in force, in order. Every folder and file is looked at again; what has not
    /// changed is not read again.
    ///
    /// Fails if a file system does not answer: nobody knows then which hooks there are.
    pub(super) fn current(
        &mut self,
        survey: &mut Survey,
        deliveries: &Deliveries,
    ) -> Result<Vec<Arc<LoadedSpec>>, NotAnswered> {
        if self.folders.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: BTreeMap<Name, Arc<str>> = BTreeMap::new();
        for folder in &mut self.folders {
            folder.look(survey)?;
            for name in &*folder.names {
                let file = format!("{}/{name}", folder.path);
                found.insert(Name(name.to_lowercase().into(), name.clone()), file.into());
            }
        }
        self.tell_of_too_many(found.len());
        let found: BTreeMap<Name, Arc<str>> = found.into_iter().take(MOST_FILES).collect();
        self.files
            .retain(|name, kept| found.get(name).is_some_and(|file| file == kept.file()));
        for (name, file) in found {
            let new = || KeptSpec::new(Format::HooksD, file, self.copies.clone());
            self.files.entry(name).or_insert_with(new);
        }
        let mut current = Vec::new();
        for kept in self.files.values_mut() {
            match kept.current(survey, deliveries) {
                Ok(spec) => current.push(spec),
                Err(mistakes) if is_not_answered(&mistakes) => {
                    let path = kept.file().clone();
                    return Err(NotAnswered { path, mistakes });
                }
                Err(_) => {}
            }
        }
        Ok(current)
    }

    /// The files as they were last good, in order.
    pub(super) fn good(&self) -> impl Iterator<Item = &Arc<LoadedSpec>> {
        self.files.values().filter_map(KeptSpec::good)
    }

    /// What was wrong with folders and files when they were last looked at.
    pub(super) fn mistakes(&self) -> impl Iterator<Item = &Diagnostic> {
        let of_folders = self.folders.iter().flat_map(|folder| &folder.mistakes);
        of_folders.chain(self.files.values().flat_map(KeptSpec::mistakes))
    }

    /// The files of which an older version is active.
    pub(super) fn older(&self) -> impl Iterator<Item = OlderVersion> {
        self.files.values().filter_map(KeptSpec::older)
    }

    fn tell_of_too_many(&mut self, count: usize) {
        let too_many = count > MOST_FILES;
        if too_many && !self.too_many {
            tracing::error!(
                count,
                "more than {MOST_FILES} hooks.d files: the last in their order are ignored"
            );
        }
        self.too_many = too_many;
    }
}

#[derive(Debug, Clone)]
struct Folder {
    path: Arc<str>,
    /// The files in it that count, when it could last be looked at.
    names: Arc<[Arc<str>]>,
    /// What was wrong with it last time; empty if nothing.
    mistakes: Vec<Diagnostic>,
}

impl Folder {
    fn new(path: Arc<str>) -> Self {
        Folder {
            path,
            names: Arc::default(),
            mistakes: Vec::new(),
        }
    }

    fn look(&mut self, survey: &mut Survey) -> Result<(), NotAnswered> {
        match self.list(survey) {
            Ok(names) => {
                self.names = names;
                self.mistakes.clear();
            }
            Err(mistakes) if is_not_answered(&mistakes) => {
                let path = self.path.clone();
                return Err(NotAnswered { path, mistakes });
            }
            // Once per change.
            Err(mistakes) if self.mistakes != mistakes => {
                self.mistakes = mistakes;
                tracing::error!(
                    folder = &*self.path,
                    mistakes = bounded_list(&self.mistakes),
                    "hooks.d folder not listed: those of its files that were in force stay so, and no more"
                );
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// The names of its files; of none if there is no such folder.
    fn list(&self, survey: &mut Survey) -> Result<Arc<[Arc<str>]>, Vec<Diagnostic>> {
        let mistake =
            |rule, message: String, help: String| vec![Diagnostic::of_file(&self.path, rule, message, help)];
        let untrusted = |error: TrustError| mistake(error.rule(), error.to_string(), error.help());
        let folder = match survey.directory(Path::new(&*self.path)) {
            Err(TrustError {
                fault: Fault::NotFound,
                ..
            }) => return Ok(Arc::default()),
            other => other.map_err(untrusted)?,
        };
        if folder.is_shared() {
            let message = "others than root can make files in it, which would mask those of other folders";
            let help = format!("run: chmod go-w {}", shown(&self.path));
            return Err(mistake(Rule::WritableByOthers, message.into(), help));
        }
        let names = folder.names().map_err(untrusted)?;
        let names = names.iter().map(|name| name.to_string_lossy());
        let files = names.filter(|name| name.ends_with(".json"));
        Ok(files.map(Arc::from).collect())
    }
}
