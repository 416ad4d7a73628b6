//! Installs this program on the host.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::Command;

use super::PodError;
use super::version::Version;
use crate::trust::TrustedFile;
use crate::trust::access::Use;
use crate::write::{is_put, put};

/// All users may execute it, only root may write it.
const MODE: u32 = 0o755;

const SELF: &str = "/proc/self/exe";

/// This program's file, opened while its path was valid: after the daemon has entered the host, its path
/// means another file or none.
#[derive(Debug)]
pub(crate) struct Program(File);

impl Program {
    /// The program that runs.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub(crate) fn open() -> Result<Program, PodError> {
        Ok(Program(File::open(SELF).map_err(PodError::io("open", SELF))?))
    }

    /// Installs the program at `path`, unless it is there. The file is written aside and renamed, so that a
    /// concurrent start executes a whole file. A later release stays. It reads the files that this one
    /// writes, and an old pod must not remove it from a new pod's daemon.
    ///
    /// # Errors
    /// The file system refuses, or does not allow execution.
    pub(crate) fn put(&mut self, path: &Path) -> Result<(), PodError> {
        let _access = Use::Write
            .begin(path)
            .map_err(|hangs| PodError::io("write", path)(hangs.of(path)))?;
        let mut content = Vec::new();
        self.0
            .rewind()
            .and_then(|()| self.0.read_to_end(&mut content))
            .map_err(PodError::io("read", SELF))?;
        if !is_put(path, &content, MODE) && !is_later(path) {
            put(path, &content, MODE).map_err(PodError::Program)?;
        }
        // Without this check, hooks would be refused one by one.
        version_of(path).map(drop)
    }
}

/// Whether the path has a program of a later release. Only root can have put it there.
fn is_later(path: &Path) -> bool {
    let is_trusted = TrustedFile::to_execute(path).is_ok();
    is_trusted && version_of(path).is_ok_and(|there| Some(there) > Version::ours())
}

/// The version that the program at `path` prints.
fn version_of(path: &Path) -> Result<Version, PodError> {
    let output = Command::new(path).arg("--version").env_clear().output();
    let output = output.map_err(|error| PodError::not_executable(path, &error.to_string()))?;
    let version = String::from_utf8_lossy(&output.stdout).parse::<Version>();
    version.map_err(|error| PodError::not_executable(path, &error.to_string()))
}
