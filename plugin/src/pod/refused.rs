//! The files of a pod that the daemon would refuse: their paths, and the report of them.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::PodError;
use crate::diagnostic::Diagnostic;
use crate::trust::access::Use;
use crate::write::{is_put, put};

/// The ending of a refused file's name, beside the active file.
const ENDING: &str = ".refused";

/// The reports: one error a line. Clients of the daemon read them there, because another process may own the
/// files.
const REPORT: &str = ".files-refused";
const REPORT_OF_IMAGES: &str = ".images-refused";

/// The maximum number of reported errors.
const MAX_LINES: usize = 100;

const MODE: u32 = 0o644;

/// The path of the file `name` if it is refused.
pub(super) fn beside(name: &Path) -> PathBuf {
    let mut name = OsString::from(name);
    name.push(ENDING);
    name.into()
}

/// Whether `name` is that of a refused file.
pub(super) fn is_beside(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes())
}

/// Reports `errors` of files in `directory`. Replaces the earlier report.
pub(super) fn report(directory: &Path, errors: &[Diagnostic]) -> Result<(), PodError> {
    let lines = errors.iter().take(MAX_LINES).map(ToString::to_string);
    write(&directory.join(REPORT), &lines.collect::<Vec<_>>())
}

/// Reports `errors` of hook images in `directory`, that of the daemon's configuration. Replaces the earlier
/// report.
///
/// # Errors
/// The report cannot be written.
pub(crate) fn report_images(directory: &Path, errors: &[String]) -> Result<(), PodError> {
    write(&directory.join(REPORT_OF_IMAGES), errors)
}

fn write(path: &Path, errors: &[String]) -> Result<(), PodError> {
    if errors.is_empty() {
        if path.symlink_metadata().is_err() {
            // On a read-only file system, it could not be removed either.
            return Ok(());
        }
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(PodError::io("remove", path)(error)),
            _ => Ok(()),
        };
    }
    let lines = errors.iter().take(MAX_LINES).map(|error| format!("{error}\n"));
    let text: String = lines.collect();
    if is_put(path, text.as_bytes(), MODE) {
        return Ok(());
    }
    put(path, text.as_bytes(), MODE).map_err(PodError::File)
}

/// The errors of the refused files and images in `directory`, that of the daemon's configuration. Blocks.
///
/// # Errors
/// A report cannot be read.
pub(crate) fn refused_in(directory: &Path) -> io::Result<Vec<String>> {
    let _access = Use::Read.begin(directory).map_err(|hangs| hangs.of(directory))?;
    let mut errors = Vec::new();
    for report in [REPORT, REPORT_OF_IMAGES] {
        match fs::read_to_string(directory.join(report)) {
            Ok(text) => errors.extend(text.lines().take(MAX_LINES).map(str::to_owned)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(errors)
}
