//! The table of the accesses to paths in progress, so that nothing waits for a file system that does not
//! answer.
//!
//! An access to a hanging disk or server blocks its thread for as long as that hangs; such a system call has
//! no deadline. So every access is in a table while it lasts. When one has lasted too long, further accesses
//! to the same file system are refused at once, until the kernel has ended that one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::mounts::Mounts;
use crate::model::escaped_path;

/// The time after which the file system of an access counts as not answering. It is less than the time that a
/// runtime gives for an answer. So the next container does not wait as the first one did.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// The maximum age of the cached mounts of this process. They are read only while an access hangs.
const MOUNTS_AGE: Duration = Duration::from_secs(1);

static TABLE: Table = Table::new();

/// The kind of an access. A file system that is suspended (fsfreeze(8)) still answers reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Stats, lists or reads.
    Read,
    /// Creates, writes, moves or removes.
    Write,
}

/// An access in progress, until this is dropped.
#[derive(Debug)]
#[must_use = "the access is in the table only while this lives"]
pub(crate) struct Access {
    slot: usize,
    table: &'static Table,
}

/// The refusal to wait for a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnswering {
    /// The time that an access to it has lasted already.
    pub(crate) since: Duration,
}

/// An access that has lasted longer than [`LIMIT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// The path of the access.
    pub(crate) path: PathBuf,
    /// The mount point of its file system; `None` if that is unknown.
    pub(crate) mount: Option<PathBuf>,
    /// The start of the access, by the node's clock.
    pub(crate) since: SystemTime,
}

impl Use {
    /// Begins an access to `path`, which has no links on its way.
    ///
    /// Fails if its file system does not answer.
    pub(crate) fn begin(self, path: &Path) -> Result<Access, NotAnswering> {
        TABLE.begin(self, path)
    }
}

/// Whether any access has lasted longer than [`LIMIT`]. Accesses no path.
pub(crate) fn is_any_unanswered() -> bool {
    TABLE.has_old(Instant::now())
}

/// The accesses that have lasted longer than [`LIMIT`]: the longest of each file system, the longest first.
/// Reads the mounts of this process if there are any.
pub(crate) fn unanswered() -> Vec<Unanswered> {
    TABLE.unanswered(Instant::now())
}

impl NotAnswering {
    /// The refusal as an I/O error of an access to `path`.
    pub(crate) fn of(self, path: &Path) -> io::Error {
        let path = escaped_path(path);
        io::Error::other(format!("the file system of {path} {self}"))
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if let Some(slot) = self.table.lock().slots.get_mut(self.slot) {
            *slot = None;
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.elapsed().unwrap_or_default();
        let how_long = NotAnswering { since };
        write!(f, "the file system of {} {how_long}", escaped_path(&self.path))
    }
}

impl fmt::Display for NotAnswering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "has not answered for {} s", self.since.as_secs())
    }
}

#[derive(Debug)]
struct Table(Mutex<Known>);

#[derive(Debug)]
struct Known {
    slots: Vec<Option<Pending>>,
    /// The mounts of this process, and the time at which they were read.
    mounts: Option<(Instant, Arc<Mounts>)>,
}

#[derive(Debug, Clone)]
struct Pending {
    path: PathBuf,
    is_for: Use,
    since: Instant,
}

impl Table {
    const fn new() -> Table {
        Table(Mutex::new(Known {
            slots: Vec::new(),
            mounts: None,
        }))
    }

    /// Never held while anything can block.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&'static self, is_for: Use, path: &Path) -> Result<Access, NotAnswering> {
        let pending = Pending {
            path: path.to_owned(),
            is_for,
            since: Instant::now(),
        };
        let mut known = self.lock();
        let old: Vec<Pending> = known.old(pending.since).cloned().collect();
        if !old.is_empty() {
            drop(known);
            let mounts = self.mounts(pending.since);
            let blocks = |old: &&Pending| {
                (old.is_for == Use::Read || is_for == Use::Write) && mounts.is_same(&old.path, path)
            };
            if let Some(oldest) = old.iter().filter(blocks).min_by_key(|old| old.since) {
                let since = pending.since.duration_since(oldest.since);
                return Err(NotAnswering { since });
            }
            known = self.lock();
        }
        let free = known.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(known.slots.len());
        match known.slots.get_mut(slot) {
            Some(free) => *free = Some(pending),
            None => known.slots.push(Some(pending)),
        }
        Ok(Access { slot, table: self })
    }

    fn has_old(&self, now: Instant) -> bool {
        self.lock().old(now).next().is_some()
    }

    fn unanswered(&self, now: Instant) -> Vec<Unanswered> {
        let mut old: Vec<Pending> = self.lock().old(now).cloned().collect();
        if old.is_empty() {
            return Vec::new();
        }
        old.sort_by_key(|old| old.since);
        let mounts = self.mounts(now);
        let mut first: Vec<&Pending> = Vec::new();
        for pending in &old {
            if !first
                .iter()
                .any(|known| mounts.is_same(&known.path, &pending.path))
            {
                first.push(pending);
            }
        }
        let clock = SystemTime::now();
        let unanswered = first.into_iter().map(|pending| Unanswered {
            path: pending.path.clone(),
            mount: mounts.point_of(&pending.path).map(Path::to_owned),
            since: clock - now.duration_since(pending.since),
        });
        unanswered.collect()
    }

    fn mounts(&self, now: Instant) -> Arc<Mounts> {
        if let Some((read, mounts)) = &self.lock().mounts
            && now.saturating_duration_since(*read) < MOUNTS_AGE
        {
            return mounts.clone();
        }
        let mounts = Arc::new(Mounts::of_this_process());
        self.lock().mounts = Some((now, mounts.clone()));
        mounts
    }
}

impl Known {
    fn old(&self, now: Instant) -> impl Iterator<Item = &Pending> {
        let is_old = move |pending: &&Pending| now.saturating_duration_since(pending.since) >= LIMIT;
        self.slots.iter().flatten().filter(is_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose mounts are known, with an access to `path` that has lasted for `age`.
    fn table(is_for: Use, path: &str, age: Duration) -> &'static Table {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        let mounts = Mounts::parse(
            "1 0 8:1 / / rw - ext4 a rw\n\
             2 1 0:40 / /mnt/hangs rw - fuse b rw\n\
             3 1 0:40 /below /srv/bound rw - fuse b rw\n\
             4 1 0:41 / /mnt/well rw - fuse c rw\n",
        );
        // Later than the start of every access.
        let later = Instant::now() + Duration::from_secs(3600);
        *table.lock() = Known {
            slots: vec![Some(Pending {
                path: path.into(),
                is_for,
                since: Instant::now().checked_sub(age).unwrap(),
            })],
            mounts: Some((later, Arc::new(mounts))),
        };
        table
    }

    fn refused(table: &'static Table, is_for: Use, path: &str) -> bool {
        table.begin(is_for, Path::new(path)).is_err()
    }

    #[test]
    fn a_file_system_that_does_not_answer_is_not_waited_for_and_every_other_is_used() {
        let table = table(Use::Read, "/mnt/hangs/a/b", Duration::from_secs(7));
        let error = table.begin(Use::Read, Path::new("/mnt/hangs/c")).unwrap_err();
        assert_eq!(error.to_string(), "has not answered for 7 s");
        assert!(refused(table, Use::Write, "/mnt/hangs"));
        assert!(
            refused(table, Use::Read, "/srv/bound/x"),
            "it is mounted there too"
        );
        for other in ["/", "/mnt", "/mnt/hangs2/a", "/mnt/well/a", "/srv"] {
            assert!(!refused(table, Use::Read, other), "{other}");
        }
    }

    #[test]
    fn a_file_system_that_may_only_be_slow_is_waited_for() {
        let table = table(Use::Read, "/mnt/hangs/a", LIMIT / 2);
        assert!(!refused(table, Use::Read, "/mnt/hangs/a"));
        assert_eq!(table.unanswered(Instant::now()), []);
    }

    #[test]
    fn one_that_accepts_no_writes_is_still_read() {
        let table = table(Use::Write, "/mnt/hangs/a", 2 * LIMIT);
        assert!(refused(table, Use::Write, "/mnt/hangs/b"));
        assert!(!refused(table, Use::Read, "/mnt/hangs/a"));
    }

    #[test]
    fn everything_works_again_when_the_access_has_ended() {
        let table = table(Use::Read, "/mnt/hangs/a", 2 * LIMIT);
        assert!(refused(table, Use::Read, "/mnt/hangs/a"));
        drop(Access { slot: 0, table });
        let again = table.begin(Use::Read, Path::new("/mnt/hangs/a")).unwrap();
        assert_eq!(again.slot, 0, "its place is used again");
        drop(again);
        assert!(table.lock().slots.iter().all(Option::is_none));
    }

    #[test]
    fn each_file_system_is_named_once_by_the_access_that_lasts_longest() {
        let table = table(Use::Read, "/srv/bound/x", 2 * LIMIT);
        let longer = Pending {
            path: "/mnt/hangs/first".into(),
            is_for: Use::Write,
            since: Instant::now().checked_sub(3 * LIMIT).unwrap(),
        };
        table.lock().slots.push(Some(longer));
        let [unanswered] = &table.unanswered(Instant::now())[..] else {
            panic!("{:?}", table.unanswered(Instant::now()));
        };
        assert_eq!(unanswered.path, Path::new("/mnt/hangs/first"));
        assert_eq!(unanswered.mount.as_deref(), Some(Path::new("/mnt/hangs")));
        let age = SystemTime::now().duration_since(unanswered.since).unwrap();
        assert!(age >= 3 * LIMIT, "{age:?}");
    }
}
