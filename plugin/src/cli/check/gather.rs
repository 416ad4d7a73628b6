//! Reads the files, and gathers their findings.

use std::sync::Arc;

use super::command::CheckArgs;
use crate::config::{Config, Overrides};
use crate::lint::{LintedFile, lint_file, lint_for_isulad, named_by};
use crate::select::{Format, LoadedSpec};
use crate::spec::is_hooks_d;

/// The findings of each file: of the configuration first, if one is requested, then of the hook-specs.
/// Without a list of hook-specs, all files that the configuration names.
pub(super) fn gather(args: &CheckArgs) -> Vec<LintedFile> {
    let mut checked = Vec::new();
    let config = match args.config.file() {
        None => Some(Config::default()),
        Some(file) => {
            let (text, read) = Config::from_file_with_text(file, &Overrides::default());
            // If files are named and no configuration is, only those files are checked.
            if args.config.config.is_some() {
                checked.push(LintedFile {
                    file: file.into(),
                    text,
                    errors: read.as_ref().err().cloned().unwrap_or_default(),
                    warnings: Vec::new(),
                });
            }
            read.ok()
        }
    };
    match &config {
        Some(config) if args.files.is_empty() => checked.extend(named_by(config)),
        _ => {
            let config = config.unwrap_or_default();
            let files = args.files.iter().map(|file| file.as_str().into());
            checked.extend(files.map(|file| lint_either(&file, &config)));
        }
    }
    if args.strict_isulad {
        checked.iter_mut().for_each(warn_for_isulad);
    }
    checked
}

/// Adds the warnings for iSulad, unless iSulad reads no such file.
fn warn_for_isulad(linted: &mut LintedFile) {
    if let (text, Ok(spec)) = LoadedSpec::load_with_text(&linted.file) {
        linted.warnings.extend(lint_for_isulad(&spec, &text));
        linted
            .warnings
            .sort_by_key(|warning| (warning.place.is_none(), warning.place));
    }
}

/// The findings of a file whose format is not given.
fn lint_either(file: &Arc<str>, config: &Config) -> LintedFile {
    let linted = lint_file(file, Format::HookSpec, config);
    if is_hooks_d(&linted.text) {
        return lint_file(file, Format::HooksD, config);
    }
    linted
}
