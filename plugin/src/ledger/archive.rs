//! The archive: the removed containers, for `log`, bounded by number, size and age.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{EntryDirectory, Identity, LedgerError};
use crate::model::{ContainerId, Timestamp};

/// The number of removed containers in the archive, and their maximum age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// The maximum number of containers; the newest stay.
    pub(crate) containers: usize,
    /// The maximum number of bytes together; the newest stay.
    pub(crate) bytes: u64,
    /// The maximum number of containers of one name in one pod; the newest stay. So a container that crashes
    /// again and again leaves space for the others.
    pub(crate) of_one_name: usize,
    /// The maximum time since the removal.
    pub(crate) age: Duration,
}

impl Default for Retention {
    /// 200 containers, five of one name in one pod, 64 MiB, for seven days.
    fn default() -> Self {
        Retention {
            containers: 200,
            bytes: 64 * 1024 * 1024,
            of_one_name: 5,
            age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// A removed container whose records are in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedContainer {
    /// Its id.
    pub id: ContainerId,
    /// The name of the directory.
    name: String,
}

impl ArchivedContainer {
    /// Whether its pod or the container itself may have this `name`, by the name of its directory.
    pub(crate) fn may_be_called(&self, name: &str) -> bool {
        let digits = self.name.split('-').next().unwrap_or_default();
        match digits.get(DIGITS..) {
            // It was archived by an earlier release, or its entry is damaged.
            None | Some("") => true,
            Some(tags) => tags
                .as_bytes()
                .chunks(TAG)
                .any(|found| found == tag(name).as_bytes()),
        }
    }
}

/// The name of the directory of a container that is removed now: the time, and then a tag of its pod's name and one of
/// its own, by which it is found among thousands. An earlier release reads the tags as parts of a nanosecond.
pub(super) fn name(id: &ContainerId, identity: Option<&Identity>) -> String {
    let tags = identity.map(|it| tag(&it.pod) + &tag(&it.container));
    let (digits, tags) = (digits(Timestamp::now().unix_nanos()), tags.unwrap_or_default());
    format!("{digits}{tags}-{id}")
}

/// The number of digits of a time, and of a tag.
const DIGITS: usize = 20;
const TAG: usize = 5;

/// A tag of the name: other names rarely have the same.
fn tag(name: &str) -> String {
    let sum = Sha256::digest(name.as_bytes());
    let number = u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]);
    format!("{:05}", number % 100_000)
}

/// The timestamp at the start of a directory's name: twenty digits have the same order as text and as
/// numbers.
fn digits(unix_nanos: u128) -> String {
    format!("{unix_nanos:020}")
}

/// The containers whose directories are below `archive`, the one that was removed first at the start.
pub(super) fn list(archive: &Path) -> Result<Vec<ArchivedContainer>, LedgerError> {
    let names = names(archive)?.into_iter();
    Ok(names
        .filter_map(|name| {
            Some(ArchivedContainer {
                id: container(&name)?,
                name,
            })
        })
        .collect())
}

/// The files of a removed container; `None` if another process has pruned it meanwhile.
pub(super) fn open(
    archive: &Path,
    container: &ArchivedContainer,
) -> Result<Option<EntryDirectory>, LedgerError> {
    EntryDirectory::archived(archive.join(&container.name))
}

/// The directory of the last removed container with this id.
pub(super) fn find(archive: &Path, id: &ContainerId) -> Result<Option<EntryDirectory>, LedgerError> {
    let is_its = |name: &String| container(name).is_some_and(|found| found == *id);
    match names(archive)?.into_iter().rfind(is_its) {
        Some(name) => EntryDirectory::archived(archive.join(name)),
        None => Ok(None),
    }
}

/// Removes containers from the archive that exceed its bounds. It caches the size and name of each container,
/// so that a removal does not read all of them.
///
/// The lines that a runner writes to a record after the removal of its container are not counted; they are
/// bounded elsewhere.
#[derive(Debug)]
pub(crate) struct Pruner {
    archive: PathBuf,
    retention: Retention,
    /// By the name of the directory.
    known: HashMap<String, Removed>,
}

/// A removed container.
#[derive(Debug)]
struct Removed {
    /// The size of its directory in bytes.
    size: u64,
    /// The namespace, pod and name of the container; absent if its entry is damaged.
    name: Option<[String; 3]>,
}

impl Removed {
    fn read(directory: PathBuf) -> Removed {
        let size = size(&directory);
        let files = EntryDirectory::archived(directory).ok().flatten();
        let identity = files.and_then(|files| Some(files.header().ok()?.identity));
        Removed {
            size,
            name: identity.map(|it| [it.namespace, it.pod, it.container]),
        }
    }
}

impl Pruner {
    pub(super) fn new(archive: PathBuf, retention: Retention) -> Pruner {
        Pruner {
            archive,
            retention,
            known: HashMap::new(),
        }
    }

    /// Removes the containers that exceed the bounds.
    ///
    /// # Errors
    /// The directories cannot be listed, or one cannot be removed.
    pub(crate) fn prune(&mut self) -> Result<(), LedgerError> {
        let names = names(&self.archive)?;
        let now = Timestamp::now().unix_nanos();
        let oldest = digits(now.saturating_sub(self.retention.age.as_nanos()));
        let mut kept = HashMap::with_capacity(names.len());
        let mut of_name: HashMap<[String; 3], usize> = HashMap::new();
        let mut left = self.retention.bytes;
        for name in names.into_iter().rev() {
            let path = self.archive.join(&name);
            let removed = self.known.remove(&name);
            let removed = removed.unwrap_or_else(|| Removed::read(path.clone()));
            let mut others = 0;
            let count = match &removed.name {
                Some(name) => of_name.entry(name.clone()).or_default(),
                None => &mut others,
            };
            if *count < self.retention.of_one_name {
                *count += 1;
                if kept.len() < self.retention.containers && removed.size <= left && name >= oldest {
                    left -= removed.size;
                    kept.insert(name, removed);
                    continue;
                }
                // A smaller, older container does not stay in place of this one.
                left = 0;
            }
            match fs::remove_dir_all(&path) {
                // Already removed, or not a container's.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                removed => removed.map_err(LedgerError::io("remove", path))?,
            }
        }
        self.known = kept;
        Ok(())
    }
}

/// The size of the files in a container's directory in bytes; 0 if it cannot be read.
fn size(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn names(archive: &Path) -> Result<Vec<String>, LedgerError> {
    let listed = fs::read_dir(archive).map_err(LedgerError::io("list", archive))?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| container(name).is_some()).collect();
    names.sort_unstable();
    Ok(names)
}

/// The container with this name of a directory; `None` if the name is not a container's.
fn container(name: &str) -> Option<ContainerId> {
    let (digits, id) = name.split_once('-')?;
    digits.parse::<u128>().ok()?;
    id.parse().ok()
}
