//! A file of hooks that the administrator put in force: its last good version stays so.

use std::sync::Arc;

use super::{Copies, Deliveries, Format, LoadedSpec, OlderVersion};
use crate::diagnostic::{Diagnostic, Rule, bounded_list};
use crate::ledger::Moment;
use crate::trust::Survey;

/// A file whose hooks count without being picked, and how it fared last: the default hook-spec, or
/// one of hooks.d.
#[derive(Debug, Clone)]
pub(super) struct KeptSpec {
    format: Format,
    file: Arc<str>,
    good: Option<Arc<LoadedSpec>>,
    /// When that was taken over.
    taken: Moment,
    /// What was wrong last time; empty if nothing.
    mistakes: Vec<Diagnostic>,
    /// Since when hooks of an earlier version count; none if they did not last time.
    outdated: Option<Moment>,
    copies: Copies,
}

impl KeptSpec {
    pub(super) fn new(format: Format, file: Arc<str>, copies: Copies) -> Self {
        KeptSpec {
            format,
            file,
            good: None,
            taken: Moment::now(),
            mistakes: Vec::new(),
            outdated: None,
            copies,
        }
    }

    /// The default hook-spec that was read just now.
    pub(super) fn with_good(good: LoadedSpec, copies: Copies) -> Self {
        let file = good.file().clone();
        KeptSpec {
            good: Some(Arc::new(good)),
            ..KeptSpec::new(Format::HookSpec, file, copies)
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

    /// That an older version was active then.
    pub(super) fn older(&self) -> Option<OlderVersion> {
        self.outdated.map(|since| OlderVersion {
            file: self.file.clone(),
            taken: self.taken,
            since,
            errors: self.mistakes.clone(),
        })
    }

    /// The spec in force: what the file says now, or, if that is not valid, what it said last.
    ///
    /// Fails with all mistakes if it was never valid, or a program of the one in force is no
    /// longer to be trusted: a file that stays in memory cannot go bad, a program can. Fails too if a
    /// file system does not answer: nobody knows then what the file says.
    pub(super) fn current(
        &mut self,
        survey: &mut Survey,
        deliveries: &Deliveries,
    ) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let now = survey.named(&self.file).and_then(|trusted| {
            let good = self.good.as_ref();
            LoadedSpec::refresh(self.format, &self.file, &trusted, good, survey, &self.copies)
        });
        let now = now.and_then(|spec| deliveries.check(&spec).map(|()| spec));
        match now {
            Ok(spec) => {
                self.accept(&spec, deliveries);
                Ok(spec)
            }
            // That is reported for the file system, not for each file on it.
            Err(mistakes) if is_not_answered(&mistakes) => Err(mistakes),
            Err(mistakes) => {
                if self.good.is_none() {
                    self.take_last_good(&mistakes, survey, deliveries);
                }
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

    /// Goes by what the file said to an earlier daemon. What is gone is not brought back.
    fn take_last_good(&mut self, mistakes: &[Diagnostic], survey: &mut Survey, deliveries: &Deliveries) {
        if is_gone(mistakes) {
            return self.copies.forget(&self.file);
        }
        if let Some((good, taken)) = LoadedSpec::last_good(self.format, &self.file, survey, &self.copies)
            && deliveries.check(&good).is_ok()
        {
            self.good = Some(Arc::new(good));
            self.taken = taken;
        }
    }

    fn accept(&mut self, spec: &Arc<LoadedSpec>, deliveries: &Deliveries) {
        let known = self.good.as_ref().is_some_and(|good| Arc::ptr_eq(good, spec));
        if !known || !self.mistakes.is_empty() {
            tracing::info!(file = &*self.file, "{} in force as it is now", self.what());
            for warning in deliveries.partly(spec) {
                tracing::warn!("{warning}");
            }
        }
        if !known {
            self.taken = Moment::now();
        }
        self.good = Some(spec.clone());
        self.mistakes.clear();
        self.outdated = None;
    }

    /// Once per change: the file is looked at for every container.
    fn report(&mut self, mistakes: Vec<Diagnostic>, outdated: bool) {
        if self.mistakes == mistakes && self.outdated.is_some() == outdated {
            return;
        }
        let (file, listed, what) = (&*self.file, bounded_list(&mistakes), self.what());
        match (outdated, self.format) {
            (true, _) => tracing::warn!(
                file,
                mistakes = listed,
                taken = %self.taken.to_the_millisecond(),
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
        self.outdated = outdated.then(|| self.outdated.unwrap_or_else(Moment::now));
    }

    fn what(&self) -> &'static str {
        match self.format {
            Format::HookSpec => "default hook-spec",
            Format::HooksD => "hooks.d file",
        }
    }
}

/// Whether the file itself, or a directory on the way to it, is not there.
pub(crate) fn is_gone(mistakes: &[Diagnostic]) -> bool {
    let is_of_file = |mistake: &Diagnostic| mistake.place.is_none() && mistake.field.is_none();
    matches!(mistakes, [mistake] if mistake.rule == Rule::NotFound && is_of_file(mistake))
}

/// Whether a file system did not answer who asked.
pub(crate) fn is_not_answered(mistakes: &[Diagnostic]) -> bool {
    mistakes.iter().any(|mistake| mistake.rule == Rule::NotAnswering)
}
