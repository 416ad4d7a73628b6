//! The containers that were removed: kept for `log`, bounded by number, size and age.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{EntryDirectory, Identity, LedgerError};
use crate::model::{ContainerId, Timestamp};

/// How many removed containers are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// At most so many, the youngest.
    pub containers: usize,
    /// At most so many bytes together, of the youngest.
    pub bytes: u64,
    /// Of one pod's container of one name at most so many, the youngest: one that crashes again and again leaves
    /// room for the others.
    pub of_one_name: usize,
    /// None that were removed longer ago.
    pub age: Duration,
}

impl Default for Kept {
    /// 200 containers, five of one name in one pod, 64 MiB, for seven days.
    fn default() -> Self {
        Kept {
            containers: 200,
            bytes: 64 * 1024 * 1024,
            of_one_name: 5,
            age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// A container that was removed and whose records are still kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Its id.
    pub id: ContainerId,
    /// Of the directory.
    name: String,
}

impl Past {
    /// Whether its pod or the container itself may be called `name`, as far as the name of its directory tells.
    pub fn may_be_called(&self, name: &str) -> bool {
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

/// The name of the directory of a container that is removed now: the moment, and then a tag of its pod's name and one of its
/// own, by which it is found among thousands. An earlier release takes the tags for parts of a nanosecond.
pub(super) fn name(id: &ContainerId, identity: Option<&Identity>) -> String {
    let tags = identity.map(|it| tag(&it.pod) + &tag(&it.container));
    let (digits, tags) = (digits(Timestamp::now().unix_nanos()), tags.unwrap_or_default());
    format!("{digits}{tags}-{id}")
}

/// How many digits a moment has, and a tag.
const DIGITS: usize = 20;
const TAG: usize = 5;

/// The same for the same name: others rarely have it.
fn tag(name: &str) -> String {
    let sum = Sha256::digest(name.as_bytes());
    let number = u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]);
    format!("{:05}", number % 100_000)
}

/// The moment with which a directory's name begins: twenty digits sort as text as they do as numbers.
fn digits(unix_nanos: u128) -> String {
    format!("{unix_nanos:020}")
}

/// The containers whose directories are below `past`, that removed first first.
pub(super) fn list(past: &Path) -> Result<Vec<Past>, LedgerError> {
    let names = names(past)?.into_iter();
    Ok(names
        .filter_map(|name| {
            Some(Past {
                id: container(&name)?,
                name,
            })
        })
        .collect())
}

/// The files of a container that was removed; `None` if another process has pruned it meanwhile.
pub(super) fn open(past: &Path, container: &Past) -> Result<Option<EntryDirectory>, LedgerError> {
    EntryDirectory::past(past.join(&container.name))
}

/// The directory of the container with this id that was removed last.
pub(super) fn find(past: &Path, id: &ContainerId) -> Result<Option<EntryDirectory>, LedgerError> {
    let is_its = |name: &String| container(name).is_some_and(|found| found == *id);
    match names(past)?.into_iter().rfind(is_its) {
        Some(name) => EntryDirectory::past(past.join(name)),
        None => Ok(None),
    }
}

/// Keeps the removed containers within bounds. It remembers how large each is and whose, so that not all of
/// them are looked through whenever one more is removed.
///
/// What a runner writes to a record after its container was removed is not counted: it is bounded by
/// itself.
#[derive(Debug)]
pub struct Archivist {
    past: PathBuf,
    kept: Kept,
    /// By the name of the directory.
    known: HashMap<String, Removed>,
}

/// A removed container.
#[derive(Debug)]
struct Removed {
    /// How many bytes its directory has.
    size: u64,
    /// The namespace, pod and name of the container; absent if its entry is damaged.
    name: Option<[String; 3]>,
}

impl Removed {
    fn look(directory: PathBuf) -> Removed {
        let size = size(&directory);
        let files = EntryDirectory::past(directory).ok().flatten();
        let identity = files.and_then(|files| Some(files.header().ok()?.identity));
        Removed {
            size,
            name: identity.map(|it| [it.namespace, it.pod, it.container]),
        }
    }
}

impl Archivist {
    pub(super) fn new(past: PathBuf, kept: Kept) -> Archivist {
        Archivist {
            past,
            kept,
            known: HashMap::new(),
        }
    }

    /// Removes what is not to be kept.
    ///
    /// # Errors
    /// The directories cannot be listed, or one cannot be removed.
    pub fn keep(&mut self) -> Result<(), LedgerError> {
        let names = names(&self.past)?;
        let now = Timestamp::now().unix_nanos();
        let oldest = digits(now.saturating_sub(self.kept.age.as_nanos()));
        let mut kept = HashMap::with_capacity(names.len());
        let mut of_name: HashMap<[String; 3], usize> = HashMap::new();
        let mut left = self.kept.bytes;
        for name in names.into_iter().rev() {
            let path = self.past.join(&name);
            let removed = self.known.remove(&name);
            let removed = removed.unwrap_or_else(|| Removed::look(path.clone()));
            let mut others = 0;
            let count = match &removed.name {
                Some(name) => of_name.entry(name.clone()).or_default(),
                None => &mut others,
            };
            if *count < self.kept.of_one_name {
                *count += 1;
                if kept.len() < self.kept.containers && removed.size <= left && name >= oldest {
                    left -= removed.size;
                    kept.insert(name, removed);
                    continue;
                }
                // No older one is kept for having less.
                left = 0;
            }
            match fs::remove_dir_all(&path) {
                // Gone already, or not ours.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                removed => removed.map_err(LedgerError::io("remove", path))?,
            }
        }
        self.known = kept;
        Ok(())
    }
}

/// How many bytes the files in a container's directory have. Trouble counts as none.
fn size(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn names(past: &Path) -> Result<Vec<String>, LedgerError> {
    let listed = fs::read_dir(past).map_err(LedgerError::io("list", past))?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| container(name).is_some()).collect();
    names.sort_unstable();
    Ok(names)
}

/// The container whose directory is called so; `None` if it is not one of ours.
fn container(name: &str) -> Option<ContainerId> {
    let (digits, id) = name.split_once('-')?;
    digits.parse::<u128>().ok()?;
    id.parse().ok()
}
