//! The hook-specs that pods may select: an invalid one is reported before a pod selects it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::OciHooks;
use crate::diagnostic::Diagnostic;
use crate::model::bounded_list;

/// What is wrong with them, by file.
pub(super) type Errors = BTreeMap<Arc<str>, Vec<Diagnostic>>;

/// What was wrong with them when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Selectable(Mutex<Errors>);

impl Selectable {
    /// What was wrong with them.
    pub(super) fn errors(&self) -> Vec<Diagnostic> {
        let errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        errors.values().flatten().cloned().collect()
    }

    /// Takes note of what is wrong with them now, and logs what has changed.
    fn take(&self, now: Errors) {
        let before = {
            let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *errors, now.clone())
        };
        for (file, errors) in now
            .iter()
            .filter(|(file, errors)| before.get(*file) != Some(errors))
        {
            let errors = bounded_list(errors);
            tracing::error!(
                file = &**file,
                errors,
                "hook-spec invalid: pods that select it get its last good version, or are refused if there is none"
            );
        }
        for file in before.keys().filter(|file| !now.contains_key(*file)) {
            tracing::info!(file = &**file, "hook-spec valid again, or removed");
        }
    }
}

impl OciHooks {
    /// Looks at every hook-spec that pods may select, and forgets the last good versions of files that are gone.
    /// Blocks.
    pub fn look_at_selectable(&self) {
        let now = self.live().now();
        let Some(in_force) = now.in_force() else { return };
        let mut errors = Errors::new();
        for error in in_force.selector.selectable_errors() {
            errors.entry(error.file.clone()).or_default().push(error);
        }
        self.selectable().take(errors);
        in_force.selector.copies().prune();
    }
}
