//! This program, for the host.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::HostError;
use crate::install::{is_put, put};

/// Everybody may execute it, root alone may write it.
const MODE: u32 = 0o755;

/// This program's file, opened while it could be found: after the host was entered, its path means
/// another file or none.
#[derive(Debug)]
pub struct Program(File);

impl Program {
    /// The program that runs.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn open() -> Result<Program, HostError> {
        let path = "/proc/self/exe";
        Ok(Program(File::open(path).map_err(HostError::io("open", path))?))
    }

    /// Puts it at `path`, unless it is there: written aside and renamed, so that whoever starts it
    /// meanwhile gets one that is whole.
    ///
    /// # Errors
    /// The file system refuses; it is read-only, say.
    pub fn put(mut self, path: &Path) -> Result<(), HostError> {
        let mut content = Vec::new();
        self.0
            .rewind()
            .and_then(|()| self.0.read_to_end(&mut content))
            .map_err(HostError::io("read", "/proc/self/exe"))?;
        match is_put(path, &content, MODE) {
            true => Ok(()),
            false => put(path, &content, MODE).map_err(HostError::Program),
        }
    }
}
