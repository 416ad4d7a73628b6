//! Files that were changed since the daemon read them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, UNIX_EPOCH};

use crate::daemon::ConfiguredBy;
use crate::model::Timestamp;
use crate::observe::Status;
use crate::select::Digest;

/// The files of which another version is active. Files that cannot be read here are left to the daemon, which
/// reports them.
pub(super) fn newer(status: &Status) -> Vec<String> {
    let config = match (&status.configured_by, status.configured_at) {
        (ConfiguredBy::File(file), Some(at)) if is_changed_since(file, at) => Some(file.to_string()),
        _ => None,
    };
    let specs = status.active.iter().filter(|active| {
        fs::read(&active.file).is_ok_and(|text| Digest::of(&text).to_string() != active.digest)
    });
    // The daemon knows the versions that it has refused.
    let is_news = |file: &String| !status.degraded.iter().any(|known| known.starts_with(&**file));
    let specs = specs.map(|active| active.file.clone());
    config.into_iter().chain(specs).filter(is_news).collect()
}

fn is_changed_since(file: &str, at: Timestamp) -> bool {
    let Ok(file) = fs::metadata(file) else {
        return false;
    };
    let (seconds, nanos) = (u64::try_from(file.ctime()), u32::try_from(file.ctime_nsec()));
    let changed = Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default());
    Timestamp::from(UNIX_EPOCH + changed) > at
}
