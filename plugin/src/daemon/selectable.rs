//! The hook-specs that pods may select: an invalid one is reported before a pod selects it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::OciHooks;
use crate::diagnostic::Diagnostic;
use crate::model::bounded_list;
use crate::select::ImageProgram;

/// Their errors, by file.
pub(super) type Errors = BTreeMap<Arc<str>, Vec<Diagnostic>>;

/// The result of the last check.
#[derive(Debug, Default)]
pub(super) struct Selectable(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    errors: Errors,
    image_programs: Vec<ImageProgram>,
}

impl Selectable {
    /// Their errors.
    pub(super) fn errors(&self) -> Vec<Diagnostic> {
        self.found().errors.values().flatten().cloned().collect()
    }

    /// The programs of the valid ones that are from images.
    pub(super) fn image_programs(&self) -> Vec<ImageProgram> {
        self.found().image_programs.clone()
    }

    /// The result is consistent after a panic: all of it is replaced at once.
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the new result, and logs the errors that have changed.
    fn replace(&self, now: Errors, image_programs: Vec<ImageProgram>) {
        let found = Found {
            errors: now.clone(),
            image_programs,
        };
        let before = std::mem::replace(&mut *self.found(), found).errors;
        for (file, errors) in now
            .iter()
            .filter(|(file, errors)| before.get(*file) != Some(errors))
        {
            let errors = bounded_list(errors);
            tracing::error!(
                file = &**file,
                errors,
                "hook-spec invalid: pods that select it get its last good version; without one they are refused"
            );
        }
        for file in before.keys().filter(|file| !now.contains_key(*file)) {
            tracing::info!(file = &**file, "hook-spec valid again, or removed");
        }
    }
}

impl OciHooks {
    /// Checks every hook-spec that pods may select, and forgets the last good versions of files that are
    /// gone. Blocks.
    pub(crate) fn check_selectable(&self) {
        let now = self.configuration().now();
        let Some(applied) = now.applied() else { return };
        let mut errors = Errors::new();
        let (found, image_programs) = applied.selector.selectable();
        for error in found {
            errors.entry(error.file.clone()).or_default().push(error);
        }
        self.selectable().replace(errors, image_programs);
        applied.selector.copies().prune();
    }
}
