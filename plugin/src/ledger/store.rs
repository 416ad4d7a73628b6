//! All containers: registering, finding and archiving them.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::archive::{self, ArchivedContainer, Pruner, Retention};
use super::directory::ENTRY;
use super::notification::{self, Notification};
use super::{EntryDirectory, Header, Identity, LedgerError};
use crate::model::{ContainerId, ResolvedHooks, Stage};
use crate::trust::access::Use;
use crate::trust::{Fault, PathCache, TrustedDir};

// These names are part of the format.
const ENTRIES: &str = "entries";
const RECORDS: &str = "live";
const ARCHIVE: &str = "past";
pub(super) const WITHOUT: &str = "without";
const DIRECTORIES: [&str; 4] = [ENTRIES, RECORDS, ARCHIVE, WITHOUT];
const ALIVE: &str = "alive";

/// The ledger of a node.
#[derive(Debug, Clone)]
pub struct Ledger {
    root: PathBuf,
}

/// A lock that shows that a daemon is alive. The kernel releases it with the process.
#[derive(Debug)]
pub(crate) struct Alive {
    _lock: File,
}

impl Ledger {
    /// The ledger at `root`, which is created if it is missing.
    ///
    /// # Errors
    /// It cannot be created, or users other than root could write to it.
    pub fn create(root: &Path) -> Result<Ledger, LedgerError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(root).map_err(LedgerError::io("create", root))?;
        // First, because nothing is created where others can write.
        check(&mut PathCache::new(), root)?;
        for directory in DIRECTORIES {
            let path = root.join(directory);
            builder.create(&path).map_err(LedgerError::io("create", &path))?;
        }
        Ledger::open(root)
    }

    /// Whether `root` has a ledger, usable or not.
    pub(crate) fn is_at(root: &Path) -> bool {
        root.join(RECORDS).symlink_metadata().is_ok()
    }

    /// The existing ledger at `root`.
    ///
    /// # Errors
    /// It is missing, or users other than root could write to it.
    pub fn open(root: &Path) -> Result<Ledger, LedgerError> {
        let mut path_cache = PathCache::new();
        check(&mut path_cache, root)?;
        for directory in DIRECTORIES {
            match check(&mut path_cache, &root.join(directory)) {
                // The daemon that created the ledger stored entries elsewhere.
                Err(LedgerError::Untrusted { fault })
                    if directory != RECORDS && fault.fault == Fault::NotFound => {}
                checked => checked?,
            }
        }
        Ok(Ledger { root: root.into() })
    }

    /// The path of the ledger.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Shows that a daemon is alive until the result is dropped. Several daemons can be alive.
    ///
    /// # Errors
    /// The lock cannot be taken.
    pub(crate) fn alive(&self) -> Result<Alive, LedgerError> {
        let path = self.root.join(ALIVE);
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(LedgerError::io("open", &path))?;
        lock.lock_shared().map_err(LedgerError::io("lock", &path))?;
        Ok(Alive { _lock: lock })
    }

    /// The processes of the daemons that are alive, as far as this process sees them; none if that is
    /// unknown.
    pub(crate) fn daemons(&self) -> Vec<i32> {
        let Ok(file) = fs::metadata(self.root.join(ALIVE)) else {
            return Vec::new();
        };
        // "1: FLOCK  ADVISORY  READ  PID MAJOR:MINOR:INODE 0 EOF"; btrfs has other device numbers there.
        let inode = format!(":{}", file.ino());
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let of_line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            match fields.as_slice() {
                [_, "FLOCK", _, "READ", pid, on, ..] if on.ends_with(&inode) => pid.parse().ok(),
                _ => None,
            }
        };
        let mut daemons: Vec<i32> = locks.lines().filter_map(of_line).filter(|pid| *pid > 0).collect();
        daemons.sort_unstable();
        daemons.dedup();
        daemons
    }

    /// Binds the socket for the messages of runners, each a [`Notification`]. If there
    /// are several daemons, the last to call this receives the messages.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn notification_socket(&self) -> io::Result<UnixDatagram> {
        notification::bind(&self.root)
    }

    /// Notifies the daemon that a runner could not write the record of `stage`, and has run no more hooks.
    pub(crate) fn report_trouble(&self, id: &ContainerId, stage: Stage, error: &LedgerError) {
        let trouble = error
            .to_string()
            .chars()
            .take(notification::MAX_TROUBLE)
            .collect();
        let notification = Notification {
            id: id.clone(),
            stage,
            trouble: Some(trouble),
        };
        notification::send(&self.root, &notification);
    }

    /// Whether the file system of the ledger has space for records; true if that is unknown.
    pub(crate) fn has_space(&self) -> bool {
        statvfs(&self.root).map_or(true, |it| {
            // Some file systems do not count their files.
            let has_files = it.files() == 0 || it.files_available() > 0;
            it.blocks_available() > 0 && has_files
        })
    }

    /// Registers a container that is being created, with its hooks; `injected` if its OCI spec gets the
    /// runner. A container that is registered already does not change.
    ///
    /// The runtime waits for this with a lock, so the entry is written in place. If a daemon dies in the
    /// middle of it, the entry is damaged, and replaced if the container is registered again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(
        &self,
        identity: Identity,
        resolved: &ResolvedHooks,
        injected: bool,
    ) -> Result<(), LedgerError> {
        self.add_with(identity, &BTreeMap::new(), resolved, injected)
            .map(drop)
    }

    /// As [`Ledger::add`], with the annotations of the container's pod, which its hooks receive. Returns whether it was
    /// not registered already.
    ///
    /// # Errors
    /// As [`Ledger::add`].
    pub fn add_with(
        &self,
        identity: Identity,
        annotations: &BTreeMap<&str, &str>,
        resolved: &ResolvedHooks,
        injected: bool,
    ) -> Result<bool, LedgerError> {
        let path = self.entry_path(&identity.id);
        let id = identity.id.clone();
        if self.records_path(&id).join(ENTRY).exists() {
            return Ok(false);
        }
        let header = Header::new(identity, resolved, injected)?;
        if EntryDirectory::write_entry(&path, &header, resolved, annotations)? {
            return Ok(true);
        }
        let registered = self.find(&id)?.map(|container| container.header());
        match registered {
            // Its writer died in the middle of it, and gave the runtime no answer.
            Some(Err(error)) if error.is_damaged() => {
                unless_missing(fs::remove_file(&path)).map_err(LedgerError::io("remove", &path))?;
                EntryDirectory::write_entry(&path, &header, resolved, annotations)
            }
            _ => Ok(false),
        }
    }

    /// The files of a container that has not been removed; `None` if it got no hooks.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn find(&self, id: &ContainerId) -> Result<Option<EntryDirectory>, LedgerError> {
        let _access = LedgerError::begin(Use::Read, &self.root)?;
        EntryDirectory::tracked(self.entry_path(id), self.records_path(id))
    }

    /// The containers that have not been removed, by id.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn tracked(&self) -> Result<Vec<ContainerId>, LedgerError> {
        let _access = LedgerError::begin(Use::Read, &self.root)?;
        self.named_in(&[ENTRIES, RECORDS])
    }

    /// The containers whose start [may not be over](EntryDirectory::note_start_is_over), by id.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(crate) fn starting(&self) -> Result<Vec<ContainerId>, LedgerError> {
        let _access = LedgerError::begin(Use::Read, &self.root)?;
        self.named_in(&[ENTRIES])
    }

    fn named_in(&self, directories: &[&str]) -> Result<Vec<ContainerId>, LedgerError> {
        let mut ids = Vec::new();
        for directory in directories {
            let path = self.root.join(directory);
            let listed = match fs::read_dir(&path) {
                // The daemon that created the ledger stored entries elsewhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                listed => listed.map_err(LedgerError::io("list", &path))?,
            };
            let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            ids.extend(names.filter_map(|name| name.parse::<ContainerId>().ok()));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The archived containers, the one that was removed first at the start.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn archived(&self) -> Result<Vec<ArchivedContainer>, LedgerError> {
        archive::list(&self.root.join(ARCHIVE))
    }

    /// The files of a container that was removed; `None` if they are kept no longer.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn open_archived(
        &self,
        container: &ArchivedContainer,
    ) -> Result<Option<EntryDirectory>, LedgerError> {
        archive::open(&self.root.join(ARCHIVE), container)
    }

    /// The files of a container that was removed, of several with this id those of the last; `None` if
    /// they are not kept.
    ///
    /// # Errors
    /// They cannot be opened.
    pub(crate) fn find_archived(&self, id: &ContainerId) -> Result<Option<EntryDirectory>, LedgerError> {
        archive::find(&self.root.join(ARCHIVE), id)
    }

    /// The number of archived containers; 0 if they cannot be listed.
    pub(crate) fn count_archived(&self) -> usize {
        fs::read_dir(self.root.join(ARCHIVE)).map_or(0, Iterator::count)
    }

    /// Archives a removed container. One to which nothing ever happened is not archived.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn archive(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let Some(directory) = self.find(id)? else {
            return Ok(());
        };
        let _access = LedgerError::begin(Use::Write, &self.root)?;
        let (entry, path) = (self.entry_path(id), self.records_path(id));
        let gone = if directory.is_untouched()? {
            let within = path.join(ENTRY);
            unless_missing(fs::remove_file(&entry))
                .and_then(|()| unless_missing(fs::remove_file(within)))
                .and_then(|()| fs::remove_dir(&path))
        } else {
            // A process that dies between the two leaves the container whole and in its place.
            unless_missing(fs::rename(&entry, path.join(ENTRY)))
                .and_then(|()| fs::rename(&path, self.archive_path(id, &directory)))
        };
        unless_missing(gone).map_err(LedgerError::io("archive", path))
    }

    /// Archives the records of an init of a container that is still tracked; the records of its next init
    /// begin again. Call this with [`Ledger::lock`] held.
    ///
    /// # Errors
    /// They cannot be moved.
    pub(crate) fn archive_init(&self, id: &ContainerId) -> Result<(), LedgerError> {
        let Some(directory) = self.find(id)? else {
            return Ok(());
        };
        let (entry, path) = (self.entry_path(id), self.records_path(id));
        let within = path.join(ENTRY);
        let archived = link(&within, &entry)
            .and_then(|()| link(&entry, &within))
            .and_then(|()| fs::rename(&path, self.archive_path(id, &directory)));
        unless_missing(archived).map_err(LedgerError::io("archive", path))
    }

    /// Excludes other processes from running pending hooks of an earlier init of the container, until the
    /// result is dropped.
    ///
    /// # Errors
    /// The lock cannot be taken.
    pub(crate) fn lock(&self, id: &ContainerId) -> Result<File, LedgerError> {
        let path = self.entry_path(id);
        let file = File::open(&path).or_else(|error| match error.kind() {
            // It was moved, and is still the same file.
            io::ErrorKind::NotFound => File::open(self.records_path(id).join(ENTRY)),
            _ => Err(error),
        });
        let file = file.map_err(LedgerError::io("open", &path))?;
        file.lock().map_err(LedgerError::io("lock", &path))?;
        Ok(file)
    }

    /// Removes archived containers beyond `retention`.
    pub(crate) fn pruner(&self, retention: Retention) -> Pruner {
        Pruner::new(self.root.join(ARCHIVE), retention)
    }

    fn entry_path(&self, id: &ContainerId) -> PathBuf {
        self.root.join(ENTRIES).join(id.as_str())
    }

    /// Where the records of a container are archived now.
    fn archive_path(&self, id: &ContainerId, directory: &EntryDirectory) -> PathBuf {
        let header = directory.header().ok();
        let name = archive::name(id, header.as_ref().map(|header| &header.identity));
        self.root.join(ARCHIVE).join(name)
    }

    fn records_path(&self, id: &ContainerId) -> PathBuf {
        self.root.join(RECORDS).join(id.as_str())
    }
}

/// Fails unless the directory at `path` and every one on the way to it are root's, and only root can create
/// files in it.
fn check(path_cache: &mut PathCache, path: &Path) -> Result<(), LedgerError> {
    let directory = path_cache.directory(path).and_then(TrustedDir::unshared);
    directory
        .map(drop)
        .map_err(|fault| LedgerError::Untrusted { fault })
}

/// Gives the file `from`, if it exists, another name, if that is free.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => unless_missing(linked),
    }
}

/// The result of an action on a file, where a missing file counts as success.
pub(super) fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
