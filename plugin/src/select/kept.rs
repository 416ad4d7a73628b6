//! A file of hooks that the administrator put in force: its last good version stays so.

use std::sync::Arc;

use super::{Format, LoadedSpec};
use crate::diagnostic::{Diagnostic, Rule, bounded_list};
use crate::trust::Survey;

/// A file whose hooks count without being picked, and how it fared last: the default hook-spec, or
/// one of hooks.d.
#[derive(Debug, Clone)]
pub(super) struct KeptSpec {
    format: Format,
    file: Arc<str>,
    good: Option<Arc<LoadedSpec>>,
    /// What was wrong last time; empty if nothing.
    mistakes: Vec<Diagnostic>,
    /// Whether hooks of an earlier version counted last time.
    outdated: bool,
}

impl KeptSpec {
    pub(super) fn new(format: Format, file: Arc<str>) -> Self {
        KeptSpec {
            format,
            file,
            good: None,
            mistakes: Vec::new(),
            outdated: false,
        }
    }

    /// The default hook-spec that was read just now.
    pub(super) fn with_good(good: LoadedSpec) -> Self {
        let file = good.file().clone();
        KeptSpec {
            good: Some(Arc::new(good)),
            ..KeptSpec::new(Format::HookSpec, file)
        }
    }

    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// What it said when it was last good.
    pub(super) fn good(&self) -> Option<&Arc<LoadedSpec>> {
        self.good.as_ref()
    }

    /// What was wrong with the file when it was last looked at.
    pub(super) fn mistakes(&self) -> &[Diagnostic] {
        &self.mistakes
    }

    /// The spec in force: what the file says now, or, if that is not valid, what it said last.
    ///
    /// Fails with all mistakes if it was never valid, or a program of the one in force is no
    /// longer to be trusted: a file that stays in memory cannot go bad, a program can. Fails too if a
    /// file system does not answer: nobody knows then what the file says.
    pub(super) fn current(&mut self, survey: &mut Survey) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let now = survey.named(&self.file).and_then(|trusted| {
            LoadedSpec::refresh(self.format, &self.file, &trusted, self.good.as_ref(), survey)
        });
        match now {
            Ok(spec) => {
                self.accept(&spec);
                Ok(spec)
            }
            // That is reported for the file system, not for each file on it.
            Err(mistakes) if is_not_answered(&mistakes) => Err(mistakes),
            Err(mistakes) => {
                let last = match &self.good {
                    Some(good) => good.check_programs(survey).map(|()| good.clone()),
                    None => Err(mistakes.clone()),
                };
                if !last.as_ref().is_err_and(|mistakes| is_not_answered(mistakes)) {
                    self.report(mistakes, last.is_ok());
                }
                last
            }
        }
    }

    fn accept(&mut self, spec: &Arc<LoadedSpec>) {
        let known = self.good.as_ref().is_some_and(|good| Arc::ptr_eq(good, spec));
        if !known || !self.mistakes.is_empty() {
            tracing::info!(file = &*self.file, "{} in force as it is now", self.what());
        }
        self.good = Some(spec.clone());
        self.mistakes.clear();
    }

    /// Once per change: the file is looked at for every container.
    fn report(&mut self, mistakes: Vec<Diagnostic>, outdated: bool) {
        if self.mistakes == mistakes && self.outdated == outdated {
            return;
        }
        let (file, listed, what) = (&*self.file, bounded_list(&mistakes), self.what());
        match (outdated, self.format) {
            (true, _) => tracing::warn!(
                file,
                mistakes = listed,
                "{what} invalid; its last good version stays in force"
            ),
            (false, Format::HookSpec) => tracing::error!(
                file,
                mistakes = listed,
                "{what} invalid, and no earlier version can be used: containers that need it are not created"
            ),
            (false, Format::HooksD) => tracing::error!(
                file,
                mistakes = listed,
                "{what} ignored, and no earlier version can be used: containers go without its hook"
            ),
        }
        self.mistakes = mistakes;
        self.outdated = outdated;
    }

    fn what(&self) -> &'static str {
        match self.format {
            Format::HookSpec => "default hook-spec",
            Format::HooksD => "hooks.d file",
        }
    }
}

/// Whether a file system did not answer who asked.
pub(super) fn is_not_answered(mistakes: &[Diagnostic]) -> bool {
    mistakes.iter().any(|mistake| mistake.rule == Rule::NotAnswering)
}
