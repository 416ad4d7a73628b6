//! A file of hooks that the administrator activated: its last good version stays active.

use std::sync::Arc;

use super::{Copies, Deliveries, Format, LoadedSpec, OlderVersion};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::{Timestamp, bounded_list};
use crate::trust::PathCache;

/// A file whose hooks count without a selection, and its last state: the default hook-spec, or a file of
/// hooks.d.
#[derive(Debug, Clone)]
pub(super) struct LastGoodSpec {
    format: Format,
    file: Arc<str>,
    good: Option<Arc<LoadedSpec>>,
    /// The time when that became active.
    taken: Timestamp,
    /// The errors at the last check; empty if there were none.
    errors: Vec<Diagnostic>,
    /// The time since which an earlier version is active; none if it was not at the last check.
    outdated: Option<Timestamp>,
    copies: Copies,
}

impl LastGoodSpec {
    pub(super) fn new(format: Format, file: Arc<str>, copies: Copies) -> Self {
        LastGoodSpec {
            format,
            file,
            good: None,
            taken: Timestamp::now(),
            errors: Vec::new(),
            outdated: None,
            copies,
        }
    }

    /// The default hook-spec that was just read.
    pub(super) fn with_good(good: LoadedSpec, copies: Copies) -> Self {
        let file = good.file().clone();
        LastGoodSpec {
            good: Some(Arc::new(good)),
            ..LastGoodSpec::new(Format::HookSpec, file, copies)
        }
    }

    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The last good version.
    pub(super) fn good(&self) -> Option<&Arc<LoadedSpec>> {
        self.good.as_ref()
    }

    /// The errors of the file at the last check.
    pub(super) fn errors(&self) -> &[Diagnostic] {
        &self.errors
    }

    /// The older version that was active at the last check, if any.
    pub(super) fn older(&self) -> Option<OlderVersion> {
        self.outdated.map(|since| OlderVersion {
            file: self.file.clone(),
            taken: self.taken,
            since,
            errors: self.errors.clone(),
        })
    }

    /// The active spec: the content of the file or, if that is invalid, its last good version.
    ///
    /// Fails with all errors if it was never valid, or a program of the active version is no longer trusted:
    /// a program can become bad while the file is unchanged in memory. Fails too if a file system does not
    /// answer, because then the content of the file is unknown.
    pub(super) fn current(
        &mut self,
        path_cache: &mut PathCache,
        deliveries: &Deliveries,
    ) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let now = path_cache.named(&self.file).and_then(|trusted| {
            let good = self.good.as_ref();
            LoadedSpec::refresh(self.format, &self.file, &trusted, good, path_cache, &self.copies)
        });
        let now = now.and_then(|spec| deliveries.check(&spec).map(|()| spec));
        match now {
            Ok(spec) => {
                self.accept(&spec, deliveries);
                Ok(spec)
            }
            // That is reported for the file system, not for each file on it.
            Err(errors) if is_not_answered(&errors) => Err(errors),
            Err(errors) => {
                if self.good.is_none() {
                    self.use_copy(&errors, path_cache, deliveries);
                }
                let last = match &self.good {
                    Some(good) => good.checked(path_cache),
                    None => Err(errors.clone()),
                };
                if let Ok(last) = &last {
                    self.good = Some(last.clone());
                }
                if !last.as_ref().is_err_and(|errors| is_not_answered(errors)) {
                    self.report(errors, last.is_ok());
                }
                last
            }
        }
    }

    /// Uses the content of the file for an earlier daemon. A removed file does not become active again.
    fn use_copy(&mut self, errors: &[Diagnostic], path_cache: &mut PathCache, deliveries: &Deliveries) {
        if is_gone(errors) {
            return self.copies.forget(&self.file);
        }
        if let Some((good, taken)) = LoadedSpec::last_good(self.format, &self.file, path_cache, &self.copies)
            && deliveries.check(&good).is_ok()
        {
            self.good = Some(Arc::new(good));
            self.taken = taken;
        }
    }

    fn accept(&mut self, spec: &Arc<LoadedSpec>, deliveries: &Deliveries) {
        let known = self.good.as_ref().is_some_and(|good| Arc::ptr_eq(good, spec));
        if !known || !self.errors.is_empty() {
            tracing::info!(file = &*self.file, "{} applied", self.what());
            for warning in deliveries.partly(spec) {
                tracing::warn!("{warning}");
            }
        }
        if !known {
            self.taken = Timestamp::now();
        }
        self.good = Some(spec.clone());
        self.errors.clear();
        self.outdated = None;
    }

    /// Logged once for each change, because the file is checked for every container.
    fn report(&mut self, errors: Vec<Diagnostic>, outdated: bool) {
        if self.errors == errors && self.outdated.is_some() == outdated {
            return;
        }
        let (file, listed, what) = (&*self.file, bounded_list(&errors), self.what());
        match (outdated, self.format) {
            (true, _) => tracing::warn!(
                file,
                errors = listed,
                taken = %self.taken.to_the_millisecond(),
                "{what} invalid; its last good version stays active"
            ),
            (false, Format::HookSpec) => tracing::error!(
                file,
                errors = listed,
                "{what} invalid, and no earlier version can be used: containers that need it are not created"
            ),
            (false, Format::HooksD) => tracing::error!(
                file,
                errors = listed,
                "{what} ignored, and no earlier version can be used: containers do not get its hook"
            ),
        }
        self.errors = errors;
        self.outdated = outdated.then(|| self.outdated.unwrap_or_else(Timestamp::now));
    }

    fn what(&self) -> &'static str {
        match self.format {
            Format::HookSpec => "default hook-spec",
            Format::HooksD => "hooks.d file",
        }
    }
}

/// Whether the file itself, or a directory on the way to it, does not exist.
pub(crate) fn is_gone(errors: &[Diagnostic]) -> bool {
    let is_of_file = |error: &Diagnostic| error.place.is_none() && error.field.is_none();
    matches!(errors, [error] if error.rule == Rule::NotFound && is_of_file(error))
}

/// Whether a file system did not answer.
pub(crate) fn is_not_answered(errors: &[Diagnostic]) -> bool {
    errors.iter().any(|error| error.rule == Rule::NotAnswering)
}
