//! Log lines in a file that does not fill the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;

/// How large the file may become, in bytes, before it is put aside in place of the one before.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A file of log lines; with the one that was put aside, at most twice as large as allowed.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
}

impl LogFile {
    /// The file at `path`, which is made if it is not there, for root alone to read.
    ///
    /// # Errors
    /// It cannot be written to, or is a link.
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        LogFile::with_limit(path, LARGEST)
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
    /// The kernel does not take it.
    pub(super) fn write(&mut self, event: &[u8]) -> io::Result<()> {
        if self.size >= self.largest {
            self.put_aside()?;
        }
        self.file.write_all(event)?;
        self.size += event.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        fs::rename(&self.path, aside)?;
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
    fn a_full_file_is_put_aside_and_no_event_is_torn() {
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
            "what is there is kept"
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
