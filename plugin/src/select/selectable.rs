//! The hook-specs that pods may select, whether a pod selects them or not: their errors and their programs.

use std::io::ErrorKind;
use std::path::Path;

use super::{Format, ImageProgram, LoadedSpec, Selector, is_not_answered, specs_in};
use crate::diagnostic::{Diagnostic, Rule};
use crate::trust::access::Use;

impl Selector {
    /// All errors of the hook-specs in the directories that pods may select from, and of directories that cannot be
    /// listed. Also the programs from images in the valid hook-specs. Reads each file. Files that do not answer are
    /// left out: that is reported for their file system.
    pub(crate) fn selectable(&self) -> (Vec<Diagnostic>, Vec<ImageProgram>) {
        let (mut errors, mut programs) = (Vec::new(), Vec::new());
        for directory in &self.config().annotation.spec_dirs {
            let Ok(access) = Use::Read.begin(Path::new(&**directory)) else {
                continue;
            };
            let listed = specs_in(directory);
            drop(access);
            match listed {
                Ok(files) => {
                    for file in &files {
                        match LoadedSpec::load_as(Format::HookSpec, file).1 {
                            Ok(spec) => programs.extend_from_slice(spec.image_programs()),
                            Err(found) if is_not_answered(&found) => {}
                            Err(found) => errors.extend(found),
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => errors.push(Diagnostic::of_file(
                    directory,
                    Rule::Unreadable,
                    format!("cannot be listed: {error}"),
                    "resolve the error that the kernel reports",
                )),
            }
        }
        (errors, programs)
    }
}
