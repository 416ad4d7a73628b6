//! Containers that are being created, so that a removal that overtakes the creation is not lost.
//!
//! A runtime whose CreateContainer has timed out sends RemoveContainer at once. A daemon that answers after
//! the deadline handles both at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The ids of the containers that are being created, and whether each has been removed meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct Creating(Arc<Mutex<BTreeMap<String, bool>>>);

impl Creating {
    /// Marks the beginning of the creation of the container `id`.
    pub(super) fn begin(&self, id: &str) -> Creation {
        self.ids().insert(id.to_owned(), false);
        Creation {
            all: self.clone(),
            id: id.to_owned(),
        }
    }

    /// Marks the container `id` as removed. Returns whether it is still being created: then its creation
    /// undoes itself.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.ids().get_mut(id).map(|removed| *removed = true).is_some()
    }

    fn ids(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A creation that is not over.
#[derive(Debug)]
pub(in crate::daemon) struct Creation {
    all: Creating,
    id: String,
}

impl Creation {
    /// Ends it. Returns whether the container has been removed meanwhile.
    #[must_use]
    pub(in crate::daemon) fn end(self) -> bool {
        self.all.ids().remove(&self.id).unwrap_or_default()
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_is_seen_by_the_creation_that_it_overtakes_and_by_no_other() {
        let creating = Creating::default();
        let (overtaken, other) = (creating.begin("a"), creating.begin("b"));
        assert!(creating.remove("a"));
        assert!(overtaken.end());
        assert!(!other.end());
    }

    #[test]
    fn a_removal_after_the_creation_is_left_to_the_ledger() {
        let creating = Creating::default();
        assert!(!creating.begin("a").end());
        drop(creating.begin("b"));
        assert!(!creating.remove("a"));
        assert!(!creating.remove("b"));
    }
}
