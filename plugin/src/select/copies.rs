//! Copies of the last good versions of files, in the state directory: they outlive the daemon and the node's
//! restarts.
//!
//! `STATE_DIR/last-good/DIGEST` belongs to one file: a line with its path, the time of the copy and its
//! digest, and then its text.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Digest;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::model::Timestamp;
use crate::spec::MAX_SIZE;
use crate::trust::access::Use;
use crate::trust::{Fault, FileIdentity, MaxSize, TrustError, TrustedDir, TrustedFile};

const DIRECTORY: &str = "last-good";

/// The maximum length of the line before the text: a path has 4,096 bytes, each of which JSON may write as
/// six.
const HEADER_SIZE: u64 = 32 * 1024;

const SIZE: MaxSize = MaxSize {
    bytes: MAX_SIZE + HEADER_SIZE,
    in_words: "the limit of a hook-spec",
    help: "remove it",
};

/// The directory of the copies; none by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies(Option<Arc<Directory>>);

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Whether a missing state directory is created: it holds the ledger, too.
    creates_state_dir: bool,
    queue: Mutex<Queue>,
}

/// The copies to write, on a thread of their own: the file system may hang, and containers must not wait for
/// it.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Arc<str>, Option<Vec<u8>>)>,
    is_at_work: bool,
}

/// The last good version of a file.
#[derive(Debug)]
pub(crate) struct LastGood {
    /// The content of the file.
    pub(crate) text: Vec<u8>,
    /// The time when it became active.
    pub(crate) taken: Timestamp,
    /// The identity of the copy, which no version of the file itself has.
    pub(crate) identity: FileIdentity,
}

/// The reason why a copy cannot be used.
#[derive(Debug, Error)]
enum CopyError {
    /// Users other than root could have written it.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
    /// It cannot be read.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<String>())]
    Unreadable(Vec<Diagnostic>),
    /// Its content does not match its header.
    #[error("{0} is damaged, or was changed")]
    Damaged(Arc<str>),
}

/// A file of which an older version is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OlderVersion {
    /// The file.
    pub(crate) file: Arc<str>,
    /// The time when the active version became active.
    pub(crate) taken: Timestamp,
    /// The time since which the file is known to be invalid.
    pub(crate) since: Timestamp,
    /// Its errors, or those of a file that it names.
    pub(crate) errors: Vec<Diagnostic>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    file: String,
    digest: String,
    taken: Timestamp,
}

impl Copies {
    /// The copies in the state directory of `config`. Without a ledger, that directory is not created.
    pub(crate) fn of(config: &Config) -> Copies {
        Copies::in_state_dir(&config.state_dir, config.needs_ledger())
    }

    /// The copies in `state_dir`, which is created if `creates_state_dir`.
    pub(crate) fn in_state_dir(state_dir: &str, creates_state_dir: bool) -> Copies {
        Copies(Some(Arc::new(Directory {
            creates_state_dir,
            path: Path::new(state_dir).join(DIRECTORY),
            queue: Mutex::default(),
        })))
    }

    /// Stores `text` as the last good version of `file`. Returns at once; failures are logged.
    pub(crate) fn store(&self, file: &Arc<str>, text: &[u8]) {
        self.put(file, Some(text.to_owned()));
    }

    /// Removes the copy of `file`, which is gone. Returns at once.
    pub(crate) fn forget(&self, file: &Arc<str>) {
        self.put(file, None);
    }

    fn put(&self, file: &Arc<str>, text: Option<Vec<u8>>) {
        let Some(directory) = &self.0 else { return };
        let mut queue = directory.queue();
        queue.waiting.push_back((file.clone(), text));
        if queue.is_at_work {
            return;
        }
        let working = directory.clone();
        let spawned = thread::Builder::new()
            .name("last-good".into())
            .spawn(move || working.work());
        match spawned {
            Ok(_) => queue.is_at_work = true,
            Err(error) => tracing::warn!(%error, "cannot store the last good version of a file"),
        }
    }

    /// The last good version of `file`; `None` if there is none, or it is not trustworthy.
    pub(crate) fn find(&self, file: &str) -> Option<LastGood> {
        let directory = self.0.as_ref()?;
        directory.read(file).unwrap_or_else(|error| {
            tracing::warn!(file, %error, "the last good version of the file cannot be used");
            None
        })
    }

    /// Removes the copies of files that are gone.
    pub(crate) fn prune(&self) {
        let Some(directory) = &self.0 else { return };
        let Ok(_access) = Use::Read.begin(&directory.path) else {
            return;
        };
        for path in directory.paths() {
            let header = fs::read(&path).ok().and_then(|bytes| Some(split(&bytes)?.0));
            if let Some(header) = header
                && is_gone(Path::new(&header.file))
            {
                self.forget(&header.file.into());
            }
        }
    }

    /// Waits until all copies are written.
    #[cfg(test)]
    pub(crate) fn await_written(&self) {
        while self
            .0
            .as_ref()
            .is_some_and(|directory| directory.queue().is_at_work)
        {
            thread::yield_now();
        }
    }
}

/// Whether no file is at `path`; false if that is unknown.
fn is_gone(path: &Path) -> bool {
    let Ok(_access) = Use::Read.begin(path) else {
        return false;
    };
    let found = path.symlink_metadata();
    found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

impl Directory {
    /// Usable after a panic: entries are only added or removed.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the waiting copies, and ends.
    fn work(&self) {
        loop {
            let mut queue = self.queue();
            let Some((file, text)) = queue.waiting.pop_front() else {
                queue.is_at_work = false;
                return;
            };
            drop(queue);
            let done = match text {
                Some(text) => self.write(&file, &text),
                None => self.remove(&file),
            };
            if let Err(error) = done {
                tracing::warn!(file = &*file, %error, "cannot store the last good version of the file");
            }
        }
    }

    fn write(&self, file: &str, text: &[u8]) -> io::Result<()> {
        let _access = Use::Write
            .begin(&self.path)
            .map_err(|hangs| hangs.of(&self.path))?;
        let state_dir = self.path.parent().unwrap_or(Path::new("/"));
        if !self.creates_state_dir && is_gone(state_dir) {
            return Ok(());
        }
        if let Ok(Some(before)) = self.read(file)
            && before.text == text
        {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made?;
        self.check_directory().map_err(io::Error::other)?;
        let header = Header {
            file: file.to_owned(),
            digest: Digest::of(text).to_string(),
            taken: Timestamp::now(),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(text);
        let path = self.path(file);
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        let mut written = options.open(&new)?;
        written.write_all(&bytes)?;
        // The copy must survive a crash.
        written.sync_all()?;
        fs::rename(&new, &path)
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        let _access = Use::Write
            .begin(&self.path)
            .map_err(|hangs| hangs.of(&self.path))?;
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&self, file: &str) -> Result<Option<LastGood>, CopyError> {
        let path = self.path(file);
        let trusted = match TrustedFile::to_read(&path) {
            Err(error) if error.fault == Fault::NotFound => return Ok(None),
            found => found?,
        };
        self.check_directory()?;
        let name: Arc<str> = path.to_string_lossy().into();
        let bytes = trusted.content(&name, SIZE).map_err(CopyError::Unreadable)?;
        let damaged = || CopyError::Damaged(name.clone());
        let (header, text) = split(&bytes).ok_or_else(damaged)?;
        if header.file != file || header.digest != Digest::of(text).to_string() {
            return Err(damaged());
        }
        Ok(Some(LastGood {
            text: text.to_owned(),
            taken: header.taken,
            identity: trusted.identity(),
        }))
    }

    fn check_directory(&self) -> Result<(), TrustError> {
        TrustedDir::at(&self.path)?.unshared().map(drop)
    }

    fn paths(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        files.map(|file| file.path()).collect()
    }

    fn path(&self, file: &str) -> PathBuf {
        let digest = Digest::of(file.as_bytes()).to_string();
        self.path.join(digest.trim_start_matches("sha256:"))
    }
}

/// The header of a copy, and the text after it.
fn split(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let header = serde_json::from_slice(&bytes[..end]).ok()?;
    Some((header, &bytes[end + 1..]))
}
