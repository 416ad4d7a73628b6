//! The default hook-spec: the last good one stays in force.

use std::sync::Arc;

use super::LoadedSpec;
use super::load::trusted;
use crate::diagnostic::{Diagnostic, bounded_list};
use crate::trust::Survey;

/// The hook-spec for every container, and how its file fared last.
#[derive(Debug)]
pub(super) struct DefaultSpec {
    file: Arc<str>,
    good: Option<Arc<LoadedSpec>>,
    /// What was wrong last time; empty if nothing.
    mistakes: Vec<Diagnostic>,
}

impl DefaultSpec {
    pub(super) fn new(file: Arc<str>) -> Self {
        DefaultSpec {
            file,
            good: None,
            mistakes: Vec::new(),
        }
    }

    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The spec in force: what the file says now, or, if that is not valid, what it said last.
    ///
    /// Fails with all mistakes if it was never valid, or a program of the one in force is no
    /// longer to be trusted: a file that stays in memory cannot go bad, a program can.
    pub(super) fn current(&mut self, survey: &mut Survey) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let now = trusted(&self.file, survey)
            .and_then(|trusted| LoadedSpec::refresh(&self.file, &trusted, self.good.as_ref(), survey));
        match now {
            Ok(spec) => {
                self.accept(&spec);
                Ok(spec)
            }
            Err(mistakes) => {
                self.report(&mistakes);
                let good = self.good.clone().ok_or(mistakes)?;
                good.check_programs(survey)?;
                Ok(good)
            }
        }
    }

    fn accept(&mut self, spec: &Arc<LoadedSpec>) {
        let known = self.good.as_ref().is_some_and(|good| Arc::ptr_eq(good, spec));
        if !known || !self.mistakes.is_empty() {
            tracing::info!(file = &*self.file, "default hook-spec in force as it is now");
        }
        self.good = Some(spec.clone());
        self.mistakes.clear();
    }

    /// Once per change: the file is looked at for every container.
    fn report(&mut self, mistakes: &[Diagnostic]) {
        if self.mistakes == mistakes {
            return;
        }
        let listed = bounded_list(mistakes);
        if self.good.is_some() {
            tracing::warn!(
                file = &*self.file,
                mistakes = listed,
                "default hook-spec invalid; the last good one stays in force"
            );
        } else {
            tracing::error!(
                file = &*self.file,
                mistakes = listed,
                "default hook-spec invalid, and there is no earlier one"
            );
        }
        self.mistakes = mistakes.to_vec();
    }
}
