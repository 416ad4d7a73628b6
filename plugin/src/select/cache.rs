//! What is kept between containers: hook-specs as read, and their merged hooks.

use std::sync::Arc;

use super::LoadedSpec;
use super::merge::merge;
use crate::model::{HookLimits, ResolvedHooks, Timeout};

/// How many hook-specs, and how many merged sets, are kept.
const MAX_RETAINED: usize = 64;

/// How many bytes of hook-spec files are kept in their read form; one spec always is.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Hook-specs that were picked, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct SpecCache {
    specs: Vec<Arc<LoadedSpec>>,
}

impl SpecCache {
    /// The hook-spec in `file` as it was read last.
    pub(super) fn known(&self, file: &Arc<str>) -> Option<Arc<LoadedSpec>> {
        self.specs.iter().find(|spec| spec.file() == file).cloned()
    }

    /// Keeps a hook-spec that was used just now, in place of an earlier one of its file.
    pub(super) fn keep(&mut self, spec: Arc<LoadedSpec>) {
        self.specs.retain(|known| known.file() != spec.file());
        self.specs.push(spec);
        while self.specs.len() > 1 && (self.specs.len() > MAX_RETAINED || self.bytes() > MAX_BYTES) {
            self.specs.remove(0);
        }
    }

    fn bytes(&self) -> u64 {
        self.specs.iter().map(|spec| spec.identity().size()).sum()
    }
}

/// Merged sets of hooks, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct MergeCache {
    merged: Vec<(Vec<Arc<LoadedSpec>>, Arc<ResolvedHooks>)>,
}

impl MergeCache {
    /// The hooks of `specs`, merged now or before.
    pub(super) fn get(
        &mut self,
        specs: Vec<Arc<LoadedSpec>>,
        default_timeout: Timeout,
        limits: HookLimits,
    ) -> Arc<ResolvedHooks> {
        let same = |known: &[Arc<LoadedSpec>]| {
            known.len() == specs.len() && known.iter().zip(&specs).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let entry = match self.merged.iter().position(|(known, _)| same(known)) {
            Some(index) => self.merged.remove(index),
            None => {
                let resolved = Arc::new(merge(&specs, default_timeout, limits));
                // A spec that was read anew will not come again as it was.
                self.merged
                    .retain(|(known, _)| !known.iter().any(|old| is_outdated(old, &specs)));
                (specs, resolved)
            }
        };
        let resolved = entry.1.clone();
        self.merged.push(entry);
        if self.merged.len() > MAX_RETAINED {
            self.merged.remove(0);
        }
        resolved
    }
}

/// Whether `old` is another reading of a file that is among `specs`.
fn is_outdated(old: &Arc<LoadedSpec>, specs: &[Arc<LoadedSpec>]) -> bool {
    specs
        .iter()
        .any(|spec| spec.file() == old.file() && !Arc::ptr_eq(spec, old))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The hook-spec in file `number`, which is made if it is not there, read.
    fn spec(directory: &tempfile::TempDir, number: usize, size: usize) -> Arc<LoadedSpec> {
        let path = directory.path().join(format!("{number}.json"));
        if !path.exists() {
            fs::write(&path, format!("{{}}{}", " ".repeat(size - 2))).unwrap();
        }
        Arc::new(LoadedSpec::load(&path.to_str().unwrap().into()).unwrap())
    }

    #[test]
    fn as_many_specs_are_kept_as_allowed_those_used_last() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        let first = spec(&directory, 0, 2);
        cache.keep(first.clone());
        for number in 1..=MAX_RETAINED {
            cache.keep(spec(&directory, number, 2));
            let known = cache.known(first.file()).unwrap();
            assert!(Arc::ptr_eq(&first, &known), "used, so kept");
            cache.keep(known);
        }
        assert_eq!(cache.specs.len(), MAX_RETAINED);
        assert!(
            cache.specs.iter().all(|kept| !kept.file().ends_with("/1.json")),
            "the oldest went"
        );
    }

    #[test]
    fn of_each_file_one_reading_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        let (first, second) = (spec(&directory, 0, 2), spec(&directory, 0, 2));
        cache.keep(first);
        cache.keep(second.clone());
        assert!(Arc::ptr_eq(&cache.known(second.file()).unwrap(), &second));
        assert_eq!(cache.specs.len(), 1);
    }

    #[test]
    fn no_more_bytes_of_specs_are_kept_than_allowed() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        for number in 0..5 {
            cache.keep(spec(&directory, number, 10 * 1024 * 1024));
            assert!(cache.bytes() <= MAX_BYTES);
        }
        assert_eq!(cache.specs.len(), 3);
    }

    #[test]
    fn merged_hooks_are_bounded_and_those_of_an_outdated_spec_go() {
        let directory = tempfile::tempdir().unwrap();
        let load = |number| spec(&directory, number, 2);
        let mut cache = MergeCache::default();
        cache.get(vec![load(0)], Timeout::DEFAULT, HookLimits::default());
        cache.get(vec![load(0), load(1)], Timeout::DEFAULT, HookLimits::default());
        assert_eq!(cache.merged.len(), 1, "another reading of spec 0");
        for number in 0..2 * MAX_RETAINED {
            cache.get(vec![load(number)], Timeout::DEFAULT, HookLimits::default());
        }
        assert_eq!(cache.merged.len(), MAX_RETAINED);
    }
}
