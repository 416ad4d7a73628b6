//! Checks files as the daemon does: their errors, and the lints.

use std::path::Path;
use std::sync::Arc;

use super::lint;
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Rule};
use crate::select::{Deliveries, Format, LoadedSpec, specs_in};
use crate::trust::{Fault, TrustedDir};

/// The findings in one file.
#[derive(Debug, Clone)]
pub(crate) struct LintedFile {
    /// The file.
    pub(crate) file: Arc<str>,
    /// The content that was read.
    pub(crate) text: Vec<u8>,
    /// The rules that it breaks.
    pub(crate) errors: Vec<Diagnostic>,
    /// The lints, which are checked only if there are no errors.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl LintedFile {
    /// A file or directory that could not be read.
    fn bad(error: Diagnostic) -> LintedFile {
        LintedFile {
            file: error.file.clone(),
            text: Vec::new(),
            errors: vec![error],
            warnings: Vec::new(),
        }
    }
}

/// Checks a file written as `format`, by the rules of the daemon. `config` has the deliveries of its hooks.
pub(crate) fn lint_file(file: &Arc<str>, format: Format, config: &Config) -> LintedFile {
    let (text, loaded) = LoadedSpec::load_as(format, file);
    let checked = loaded.and_then(|spec| Deliveries::of(config).check(&spec).map(|()| spec));
    let (errors, warnings) = match &checked {
        Ok(spec) => (Vec::new(), lint(spec, &text, config)),
        Err(errors) => (errors.clone(), Vec::new()),
    };
    LintedFile {
        file: file.clone(),
        text,
        errors,
        warnings,
    }
}

/// The hook-specs and hooks.d files of a configuration, and its invalid directories.
pub(crate) fn named_by(config: &Config) -> Vec<LintedFile> {
    let default = config.defaults().map(|(file, _)| file);
    let hooks_d = config.hooks_dirs.iter();
    let specs = config.annotation.spec_dirs.iter();
    let default = default.map(|file| lint_file(file, Format::HookSpec, config));
    let hooks_d = hooks_d.flat_map(|directory| in_directory(directory, Format::HooksD, config));
    let specs = specs.flat_map(|directory| in_directory(directory, Format::HookSpec, config));
    default.chain(hooks_d).chain(specs).collect()
}

/// The files of a directory, or its error. A directory that does not exist holds none, as for the daemon.
fn in_directory(directory: &Arc<str>, format: Format, config: &Config) -> Vec<LintedFile> {
    let bad = |rule, message: &str, help: &str| {
        vec![LintedFile::bad(Diagnostic::of_file(
            directory, rule, message, help,
        ))]
    };
    match TrustedDir::at(Path::new(&**directory)) {
        Err(error) if error.fault == Fault::NotFound => return Vec::new(),
        Err(error) => return bad(error.rule(), &error.to_string(), &error.help()),
        Ok(trusted) if trusted.is_shared() && format == Format::HooksD => {
            let message =
                "users other than root can create files in it, which would mask those of other directories";
            return bad(Rule::WritableByOthers, message, "remove their write permission");
        }
        Ok(_) => {}
    }
    match specs_in(directory) {
        Ok(files) => files.iter().map(|file| lint_file(file, format, config)).collect(),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            bad(
                Rule::Unreadable,
                &message,
                "resolve the error that the kernel reports",
            )
        }
    }
}
