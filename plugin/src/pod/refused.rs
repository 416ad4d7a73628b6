//! Which files of a pod the daemon would refuse: where they lie, and the report of them.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::PodError;
use crate::diagnostic::Diagnostic;
use crate::install::{is_put, put};
use crate::trust::access::Use;

/// What the name of a refused file ends with, beside the one that stays.
const ENDING: &str = ".refused";

/// The report: one error a line. Whoever asks the daemon reads it there, for another process may keep the files.
const REPORT: &str = ".files-refused";

/// How many errors are reported.
const MAX_LINES: usize = 100;

const MODE: u32 = 0o644;

/// Where the file `name` lies if it is refused.
pub(super) fn beside(name: &Path) -> PathBuf {
    let mut name = OsString::from(name);
    name.push(ENDING);
    name.into()
}

/// Whether `name` is that of a refused file.
pub(super) fn is_beside(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes())
}

/// Reports `errors` in `directory`, in place of those before.
pub(super) fn report(directory: &Path, errors: &[Diagnostic]) -> Result<(), PodError> {
    let path = directory.join(REPORT);
    if errors.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(PodError::io("remove", path)(error)),
            _ => Ok(()),
        };
    }
    let lines = errors.iter().take(MAX_LINES).map(|error| format!("{error}\n"));
    let text: String = lines.collect();
    if is_put(&path, text.as_bytes(), MODE) {
        return Ok(());
    }
    put(&path, text.as_bytes(), MODE).map_err(PodError::File)
}

/// The errors of the files that were refused in `directory`, where the daemon's configuration is. Blocks.
///
/// # Errors
/// The report cannot be read.
pub fn refused_in(directory: &Path) -> io::Result<Vec<String>> {
    let _access = Use::Read.begin(directory).map_err(|hangs| hangs.of(directory))?;
    match fs::read_to_string(directory.join(REPORT)) {
        Ok(text) => Ok(text.lines().take(MAX_LINES).map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
