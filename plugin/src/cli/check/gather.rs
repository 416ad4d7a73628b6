//! Looking at the files.

use std::path::Path;
use std::sync::Arc;

use super::command::CheckArgs;
use super::report::Checked;
use crate::config::{Config, Overrides};
use crate::diagnostic::{Diagnostic, Rule};
use crate::lint::lint;
use crate::select::{LoadedSpec, specs_in};
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
            checked.extend(files.map(|file| look_at(&file, &config)));
        }
    }
    checked
}

fn look_at(file: &Arc<str>, config: &Config) -> Checked {
    let (text, loaded) = LoadedSpec::load_with_text(file);
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

/// The hook-specs that a configuration names, and the folders that are no good. A folder that is
/// not there holds no hook-specs, as the daemon sees it.
fn named_by(config: &Config) -> Vec<Checked> {
    let default = config.hook_spec.iter();
    let mut named: Vec<Checked> = default.map(|file| look_at(file, config)).collect();
    for folder in &config.annotation.spec_dirs {
        match TrustedDir::at(Path::new(&**folder)) {
            Ok(_) => match specs_in(folder) {
                Ok(specs) => named.extend(specs.iter().map(|file| look_at(file, config))),
                Err(error) => {
                    let message = format!("cannot be read: {error}");
                    let help = "see to what the kernel says";
                    named.push(Checked::bad(Diagnostic::of_file(
                        folder,
                        Rule::Unreadable,
                        message,
                        help,
                    )));
                }
            },
            Err(error) if error.fault == Fault::NotFound => {}
            Err(error) => {
                let mistake = Diagnostic::of_file(folder, error.rule(), error.to_string(), error.help());
                named.push(Checked::bad(mistake));
            }
        }
    }
    named
}
