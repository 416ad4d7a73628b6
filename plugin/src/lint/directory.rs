//! Directories in which anybody may create files, such as /tmp. Nobody can change root's files there, but
//! programs that root runs do not belong there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::lints::Linted;
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::escaped;
use crate::trust::TrustedFile;

/// Write permission for group or others.
const OTHERS_WRITE: u32 = 0o022;

/// One warning for the hook-spec, and one for each of its programs, that lies in such a directory.
pub(super) fn lint<'l>(linted: &'l Linted<'_>) -> impl Iterator<Item = Diagnostic> + 'l {
    let programs = linted.programs().filter_map(|at| {
        let directory = shared_directory(
            TrustedFile::to_execute(Path::new(&at.hook.path))
                .ok()?
                .real_path(),
        )?;
        let what = shared_by_others(&at.hook.path, &directory);
        Some(linted.warning(at, ("path", at.places.path), Rule::SharedDirectory, what))
    });
    let file = linted.spec.file();
    let spec = TrustedFile::to_read(Path::new(&**file)).ok().and_then(|trusted| {
        let (message, help) = shared_by_others(file, &shared_directory(trusted.real_path())?);
        Some(Diagnostic::of_file(file, Rule::SharedDirectory, message, help))
    });
    programs.chain(spec)
}

fn shared_by_others(file: &str, directory: &Path) -> (String, String) {
    let directory = directory.to_string_lossy();
    let message = format!(
        "{} is below {}, where other users can create files, and which may be emptied at any time",
        escaped(file),
        escaped(&directory)
    );
    (
        message,
        "move it to a directory that only root can write to, such as /usr/local/lib/nri-oci-hooks".to_owned(),
    )
}

/// The nearest directory above `file` that users other than root may write to.
fn shared_directory(file: &Path) -> Option<PathBuf> {
    let is_shared = |directory: &&Path| {
        directory
            .metadata()
            .is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_WRITE != 0)
    };
    file.ancestors().skip(1).find(is_shared).map(Path::to_path_buf)
}
