//! Removing groups that have become empty since.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::group::remove_tree;
use super::hierarchies::Hierarchies;
use super::name::GroupName;

/// How many groups of a hierarchy are looked at in one go. Where there are more, each sweep begins elsewhere.
const MAX_LOOKED_AT: usize = 64;

/// How old a group must be to be removed: a younger one may be empty because its hook is yet to begin.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Removes groups that are empty: their hooks have left processes behind that have ended since, or their
/// runners were killed. It is bounded, so some may be left to the next sweep.
pub(crate) fn sweep() {
    for parent in Hierarchies::find().parents() {
        sweep_below(&parent, MIN_AGE);
    }
}

pub(super) fn sweep_below(parent: &Path, min_age: Duration) {
    let Ok(listed) = fs::read_dir(parent) else { return };
    let groups: Vec<_> = listed
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(GroupName::is_one))
        .collect();
    let begin = std::process::id() as usize % groups.len().max(1);
    for entry in groups
        .iter()
        .cycle()
        .skip(begin)
        .take(groups.len().min(MAX_LOOKED_AT))
    {
        // The kernel keeps no times of them: this is when the directory was first looked up, or later.
        let made = entry.metadata().and_then(|found| found.modified());
        if made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age >= min_age)) {
            // Fails if there are processes in it.
            let _ = remove_tree(&entry.path());
        }
    }
}
