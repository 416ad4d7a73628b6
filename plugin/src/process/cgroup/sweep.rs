//! Removes groups that have become empty.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::group::remove_tree;
use super::hierarchies::Hierarchies;
use super::name::GroupName;

/// The maximum number of groups of a hierarchy that one sweep checks. If there are more, each sweep begins
/// elsewhere.
const MAX_CHECKED: usize = 64;

/// The minimum age of a group for its removal: a younger one may be empty because its hook has not begun.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Removes empty groups: leftover processes of their hooks have ended since, or their runners were killed.
/// One sweep is bounded, so some groups may wait for the next.
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
        .take(groups.len().min(MAX_CHECKED))
    {
        // The kernel stores no times: this is the first lookup of the directory, or later.
        let made = entry.metadata().and_then(|found| found.modified());
        if made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age >= min_age)) {
            // Fails if there are processes in it.
            let _ = remove_tree(&entry.path());
        }
    }
}
