//! Log lines in a file of bounded size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;

/// The maximum size of the file, in bytes. Then it is renamed, in place of the earlier one.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// A file of log lines; with the renamed one, at most twice the maximum size.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
}

impl LogFile {
    /// The file at `path`, which is created if it is missing, readable only for root.
    ///
    /// # Errors
    /// It cannot be written to, or is a link.
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        LogFile::with_limit(path, MAX_SIZE)
    }

    fn with_limit(path: &Path, largest: u64) -> io::Result<LogFile> {
        let file = append(path)?;
        Ok(LogFile {
            size: file.metadata()?.len(),
            path: path.to_owned(),
            file,
            largest,
        })
    }

    /// Writes one event.
    ///
    /// # Errors
    /// The kernel cannot write it.
    pub(super) fn write(&mut self, event: &[u8]) -> io::Result<()> {
        if self.size >= self.largest {
            self.rotate()?;
        }
        self.file.write_all(event)?;
        self.size += event.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut rotated = self.path.clone().into_os_string();
        rotated.push(".1");
        fs::rename(&self.path, rotated)?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.custom_flags(O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_rotated_and_no_event_is_split() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = LogFile::with_limit(&path, 10).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            log.write(line.as_bytes()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(directory.path().join("log.1")).unwrap(),
            "one\ntwo\nthree\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        drop(log);
        LogFile::with_limit(&path, 10).unwrap().write(b"five\n").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "four\nfive\n",
            "earlier lines stay"
        );
    }

    #[test]
    fn a_link_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::os::unix::fs::symlink("/none", &path).unwrap();
        assert!(LogFile::open(&path).is_err());
    }
}
