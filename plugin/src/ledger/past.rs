//! The containers that were removed: kept for `log`, bounded by number and age.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::{ContainerId, EntryFolder, LedgerError, Moment};

/// How many removed containers are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// At most so many, the youngest.
    pub containers: usize,
    /// At most so many bytes together, of the youngest.
    pub bytes: u64,
    /// None that were removed longer ago.
    pub age: Duration,
}

impl Default for Kept {
    /// 200 containers, 64 MiB, for seven days.
    fn default() -> Self {
        Kept {
            containers: 200,
            bytes: 64 * 1024 * 1024,
            age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// A container that was removed, and its folder if that can be opened.
pub type Past = (ContainerId, Result<EntryFolder, LedgerError>);

/// The name of the folder of a container that is removed now.
pub(super) fn name(id: &ContainerId) -> String {
    // Twenty digits sort as text as they do as numbers.
    format!("{:020}-{id}", Moment::now().unix_nanos())
}

/// The folders below `past`, that of the container removed first first.
pub(super) fn list(past: &Path) -> Result<Vec<Past>, LedgerError> {
    let mut folders = Vec::new();
    for name in names(past)? {
        let Some((_, id)) = parse(&name) else { continue };
        // Another process may have pruned it meanwhile.
        if let Some(folder) = EntryFolder::past(past.join(&name)).transpose() {
            folders.push((id, folder));
        }
    }
    Ok(folders)
}

/// Removes what is not to be kept.
pub(super) fn prune(past: &Path, kept: Kept) -> Result<(), LedgerError> {
    let names = names(past)?;
    let oldest = Moment::now().unix_nanos().saturating_sub(kept.age.as_nanos());
    let mut left = kept.bytes;
    for (index, name) in names.iter().rev().enumerate() {
        let path = past.join(name);
        let size = size(&path);
        let too_old = parse(name).is_some_and(|(removed, _)| removed < oldest);
        if index < kept.containers && size <= left && !too_old {
            left -= size;
            continue;
        }
        // No older one is kept for having less.
        left = 0;
        match fs::remove_dir_all(&path) {
            // Gone already, or not ours.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            removed => removed.map_err(LedgerError::io("remove", path))?,
        }
    }
    Ok(())
}

/// How many bytes the files in a container's folder have. Trouble counts as none.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn names(past: &Path) -> Result<Vec<String>, LedgerError> {
    let listed = fs::read_dir(past).map_err(LedgerError::io("list", past))?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| parse(name).is_some()).collect();
    names.sort_unstable();
    Ok(names)
}

fn parse(name: &str) -> Option<(u128, ContainerId)> {
    let (nanos, id) = name.split_once('-')?;
    Some((nanos.parse().ok()?, id.parse().ok()?))
}
