//! Looking at the files.

use std::path::Path;
use std::sync::Arc;

use super::command::CheckArgs;
use super::report::Checked;
use crate::config::{Config, Overrides};
use crate::diagnostic::{Diagnostic, Rule};
use crate::lint::lint;
use crate::select::{Format, LoadedSpec, specs_in};
use crate::trust::{Fault, TrustedDir};

/// What was found in each file: in the configuration first, if one is asked for, then in the
/// hook-specs; without a list of these, in all that the configuration names.
pub(super) fn gather(args: &CheckArgs) -> Vec<Checked> {
    let mut checked = Vec::new();
    let config = match args.config.file() {
        None => Some(Config::default()),
        Some(file) => {
            let (text, read) = Config::from_file_with_text(file, &Overrides::default());
            // Whoever names files and no configuration asks about those files.
            if args.config.config.is_some() {
                checked.push(Checked {
                    file: file.into(),
                    text,
                    mistakes: read.as_ref().err().cloned().unwrap_or_default(),
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
            checked.extend(files.map(|file| look_at(&file, Format::HookSpec, &config)));
        }
    }
    checked
}

fn look_at(file: &Arc<str>, format: Format, config: &Config) -> Checked {
    let (text, loaded) = LoadedSpec::load_as(format, file);
    let (mistakes, warnings) = match &loaded {
        Ok(spec) => (Vec::new(), lint(spec, &text, config)),
        Err(mistakes) => (mistakes.clone(), Vec::new()),
    };
    Checked {
        file: file.clone(),
        text,
        mistakes,
        warnings,
    }
}

/// The hook-specs and hooks.d files that a configuration names, and its folders that are no good.
fn named_by(config: &Config) -> Vec<Checked> {
    let default = config.hook_spec.iter();
    let hooks_d = config.hooks_dirs.iter();
    let specs = config.annotation.spec_dirs.iter();
    let default = default.map(|file| look_at(file, Format::HookSpec, config));
    let hooks_d = hooks_d.flat_map(|folder| in_folder(folder, Format::HooksD, config));
    let specs = specs.flat_map(|folder| in_folder(folder, Format::HookSpec, config));
    default.chain(hooks_d).chain(specs).collect()
}

/// The files of a folder, or what is wrong with it. One that is not there holds none, as the
/// daemon sees it.
fn in_folder(folder: &Arc<str>, format: Format, config: &Config) -> Vec<Checked> {
    let bad = |rule, message: &str, help: &str| {
        vec![Checked::bad(Diagnostic::of_file(folder, rule, message, help))]
    };
    match TrustedDir::at(Path::new(&**folder)) {
        Err(error) if error.fault == Fault::NotFound => return Vec::new(),
        Err(error) => return bad(error.rule(), &error.to_string(), &error.help()),
        Ok(trusted) if trusted.is_shared() && format == Format::HooksD => {
            let message = "others than root can make files in it, which would mask those of other folders";
            return bad(
                Rule::WritableByOthers,
                message,
                "take their write permission away",
            );
        }
        Ok(_) => {}
    }
    match specs_in(folder) {
        Ok(files) => files.iter().map(|file| look_at(file, format, config)).collect(),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            bad(Rule::Unreadable, &message, "see to what the kernel says")
        }
    }
}
