//! What is kept between containers: hook-specs as read, and their merged hooks.

use std::sync::Arc;

use super::locate::Located;
use super::merge::merge;
use super::{Format, Frozen, LoadedSpec};
use crate::diagnostic::Diagnostic;
use crate::process::HookLimits;
use crate::spec::Timeout;
use crate::trust::Survey;

/// How many hook-specs, and how many merged sets, are kept.
const MOST_KEPT: usize = 64;

/// How many bytes of hook-spec files are kept in their read form; one spec always is.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Hook-specs that were picked, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct SpecCache {
    specs: Vec<Arc<LoadedSpec>>,
}

impl SpecCache {
    /// The hook-spec that was found, read anew if its file has changed.
    pub(super) fn get(
        &mut self,
        found: &Located,
        survey: &mut Survey,
    ) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let known = self.specs.iter().position(|spec| *spec.file() == found.file);
        let known = known.map(|index| self.specs.remove(index));
        let spec = LoadedSpec::refresh(
            Format::HookSpec,
            &found.file,
            &found.trusted,
            known.as_ref(),
            survey,
        )?;
        self.specs.push(spec.clone());
        while self.specs.len() > 1 && (self.specs.len() > MOST_KEPT || self.bytes() > MOST_BYTES) {
            self.specs.remove(0);
        }
        Ok(spec)
    }

    fn bytes(&self) -> u64 {
        self.specs.iter().map(|spec| spec.identity().size()).sum()
    }
}

/// Merged sets of hooks, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct MergeCache {
    merged: Vec<(Vec<Arc<LoadedSpec>>, Arc<Frozen>)>,
}

impl MergeCache {
    /// The hooks of `specs`, merged now or before.
    pub(super) fn get(
        &mut self,
        specs: Vec<Arc<LoadedSpec>>,
        default_timeout: Timeout,
        limits: HookLimits,
    ) -> Arc<Frozen> {
        let same = |known: &[Arc<LoadedSpec>]| {
            known.len() == specs.len() && known.iter().zip(&specs).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let entry = match self.merged.iter().position(|(known, _)| same(known)) {
            Some(index) => self.merged.remove(index),
            None => {
                let frozen = Arc::new(merge(&specs, default_timeout, limits));
                // A spec that was read anew will not come again as it was.
                self.merged
                    .retain(|(known, _)| !known.iter().any(|old| is_outdated(old, &specs)));
                (specs, frozen)
            }
        };
        let frozen = entry.1.clone();
        self.merged.push(entry);
        if self.merged.len() > MOST_KEPT {
            self.merged.remove(0);
        }
        frozen
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
    use std::path::Path;

    use super::*;
    use crate::trust::TrustedFile;

    fn spec(folder: &tempfile::TempDir, number: usize, size: usize) -> Located {
        let file: Arc<str> = folder
            .path()
            .join(format!("{number}.json"))
            .to_str()
            .unwrap()
            .into();
        if !Path::new(&*file).exists() {
            fs::write(&*file, format!("{{}}{}", " ".repeat(size - 2))).unwrap();
        }
        let trusted = TrustedFile::to_read(Path::new(&*file)).unwrap();
        Located {
            file,
            trusted,
            real_names: Vec::new(),
        }
    }

    #[test]
    fn as_many_specs_are_kept_as_allowed_those_used_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        let first = cache.get(&spec(&folder, 0, 2), &mut Survey::new()).unwrap();
        for number in 1..=MOST_KEPT {
            cache.get(&spec(&folder, number, 2), &mut Survey::new()).unwrap();
            assert!(
                Arc::ptr_eq(
                    &first,
                    &cache.get(&spec(&folder, 0, 2), &mut Survey::new()).unwrap()
                ),
                "used, so kept"
            );
        }
        assert_eq!(cache.specs.len(), MOST_KEPT);
        assert!(
            cache.specs.iter().all(|kept| !kept.file().ends_with("/1.json")),
            "the oldest went"
        );
    }

    #[test]
    fn no_more_bytes_of_specs_are_kept_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = SpecCache::default();
        for number in 0..5 {
            cache
                .get(&spec(&folder, number, 10 * 1024 * 1024), &mut Survey::new())
                .unwrap();
            assert!(cache.bytes() <= MOST_BYTES);
        }
        assert_eq!(cache.specs.len(), 3);
    }

    #[test]
    fn merged_hooks_are_bounded_and_those_of_an_outdated_spec_go() {
        let folder = tempfile::tempdir().unwrap();
        let load = |number| Arc::new(LoadedSpec::load(&spec(&folder, number, 2).file).unwrap());
        let mut cache = MergeCache::default();
        cache.get(vec![load(0)], Timeout::DEFAULT, HookLimits::default());
        cache.get(vec![load(0), load(1)], Timeout::DEFAULT, HookLimits::default());
        assert_eq!(cache.merged.len(), 1, "another reading of spec 0");
        for number in 0..2 * MOST_KEPT {
            cache.get(vec![load(number)], Timeout::DEFAULT, HookLimits::default());
        }
        assert_eq!(cache.merged.len(), MOST_KEPT);
    }
}
