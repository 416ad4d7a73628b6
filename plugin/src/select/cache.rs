//! The cache between containers: parsed hook-specs, and their merged hooks.

use std::sync::Arc;

use super::LoadedSpec;
use super::merge::merge;
use crate::model::{HookLimits, ResolvedHooks, Timeout};

/// The maximum number of cached hook-specs, and of merged sets.
const MAX_RETAINED: usize = 64;

/// The maximum size of the files of cached hook-specs, in bytes; one spec is always cached.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Selected hook-specs, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct SpecCache {
    specs: Vec<Arc<LoadedSpec>>,
}

impl SpecCache {
    /// The hook-spec in `file` as it was last read.
    pub(super) fn known(&self, file: &Arc<str>) -> Option<Arc<LoadedSpec>> {
        self.specs.iter().find(|spec| spec.file() == file).cloned()
    }

    /// Caches a hook-spec that was just used, in place of an earlier one of its file.
    pub(super) fn insert(&mut self, spec: Arc<LoadedSpec>) {
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
                // The earlier state of a spec that was read again will not return.
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

/// Whether `old` is another state of a file in `specs`.
fn is_outdated(old: &Arc<LoadedSpec>, specs: &[Arc<LoadedSpec>]) -> bool {
    specs
        .iter()
        .any(|spec| spec.file() == old.file() && !Arc::ptr_eq(spec, old))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The hook-spec in file `number`, read; the file is created if it is missing.
    fn spec(directory: &tempfile::TempDir, number: usize, size: usize) -> Arc<LoadedSpec> {
        let path = directory.path().join(format!("{number}.json"));
        if !path.exists() {
            fs::write(&path, format!("{{}}{}", " ".repeat(size - 2))).unwrap();
        }
        Arc::new(LoadedSpec::load(&path.to_str().unwrap().into()).unwrap())
    }

    #[test]
    fn the_most_recently_used_specs_are_cached_up_to_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        let first = spec(&directory, 0, 2);
        cache.insert(first.clone());
        for number in 1..=MAX_RETAINED {
            cache.insert(spec(&directory, number, 2));
            let known = cache.known(first.file()).unwrap();
            assert!(Arc::ptr_eq(&first, &known), "used, so cached");
            cache.insert(known);
        }
        assert_eq!(cache.specs.len(), MAX_RETAINED);
        assert!(
            cache.specs.iter().all(|spec| !spec.file().ends_with("/1.json")),
            "the oldest went"
        );
    }

    #[test]
    fn one_state_of_each_file_is_cached() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        let (first, second) = (spec(&directory, 0, 2), spec(&directory, 0, 2));
        cache.insert(first);
        cache.insert(second.clone());
        assert!(Arc::ptr_eq(&cache.known(second.file()).unwrap(), &second));
        assert_eq!(cache.specs.len(), 1);
    }

    #[test]
    fn the_bytes_of_cached_specs_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        for number in 0..5 {
            cache.insert(spec(&directory, number, 10 * 1024 * 1024));
            assert!(cache.bytes() <= MAX_BYTES);
        }
        assert_eq!(cache.specs.len(), 3);
    }

    #[test]
    fn merged_hooks_are_bounded_and_those_of_an_outdated_spec_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let load = |number| spec(&directory, number, 2);
        let mut cache = MergeCache::default();
        cache.get(vec![load(0)], Timeout::DEFAULT, HookLimits::default());
        cache.get(vec![load(0), load(1)], Timeout::DEFAULT, HookLimits::default());
        assert_eq!(cache.merged.len(), 1, "another state of spec 0");
        for number in 0..2 * MAX_RETAINED {
            cache.get(vec![load(number)], Timeout::DEFAULT, HookLimits::default());
        }
        assert_eq!(cache.merged.len(), MAX_RETAINED);
    }
}
