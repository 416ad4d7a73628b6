//! What is wrong with the hook-specs that pods may select, whether one does or not.

use std::io::ErrorKind;
use std::path::Path;

use super::{Format, LoadedSpec, Selector, is_not_answered, specs_in};
use crate::diagnostic::{Diagnostic, Rule};
use crate::trust::access::Use;

impl Selector {
    /// Every error of the hook-specs in the directories that pods may select from, and of directories that cannot be
    /// listed. Reads each file. What does not answer is left out: it is reported for its file system.
    pub fn selectable_errors(&self) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        for directory in &self.config().annotation.spec_dirs {
            let Ok(access) = Use::Read.begin(Path::new(&**directory)) else {
                continue;
            };
            let listed = specs_in(directory);
            drop(access);
            match listed {
                Ok(files) => {
                    let loaded = files
                        .iter()
                        .map(|file| LoadedSpec::load_as(Format::HookSpec, file).1);
                    let found = loaded.filter_map(Result::err);
                    errors.extend(found.filter(|errors| !is_not_answered(errors)).flatten());
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => errors.push(Diagnostic::of_file(
                    directory,
                    Rule::Unreadable,
                    format!("cannot be listed: {error}"),
                    "see to what the kernel says",
                )),
            }
        }
        errors
    }
}
