//! `check`: tells every mistake of hook-specs, by exactly the rules that the daemon goes by.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::diagnostic::{Diagnostic, shown};
use crate::select::LoadedSpec;

/// What `check` is asked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Hook-spec files, by absolute path
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How `check` prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Good files on stdout, mistakes on stderr, a line each
    Text,
    /// One object on stdout: {"files": [{"file", "good", "mistakes": [...]}]}
    Json,
}

/// Checks hook-specs. Exits 0 if all are good, 1 if one is bad or the result could not be printed.
pub fn check(args: CheckArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

#[derive(Serialize)]
struct Report {
    files: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    file: Arc<str>,
    good: bool,
    mistakes: Vec<Diagnostic>,
}

impl Checked {
    fn new(file: &str) -> Checked {
        let file = Arc::from(file);
        let mistakes = LoadedSpec::load(&file).err().unwrap_or_default();
        Checked {
            file,
            good: mistakes.is_empty(),
            mistakes,
        }
    }
}

/// Whether all files are good.
fn run(args: &CheckArgs, out: &mut impl Write, err: &mut impl Write) -> io::Result<bool> {
    let report = Report {
        files: args.files.iter().map(|file| Checked::new(file)).collect(),
    };
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
        Format::Text => {
            for checked in &report.files {
                for mistake in &checked.mistakes {
                    writeln!(err, "{mistake}")?;
                }
                if checked.good {
                    writeln!(out, "{}: good", shown(&checked.file))?;
                }
            }
        }
    }
    Ok(report.files.iter().all(|checked| checked.good))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        check: CheckArgs,
    }

    /// Whether all is good, what is on stdout, what is on stderr.
    fn checked(args: &[&str]) -> (bool, String, String) {
        let cli = Cli::try_parse_from([&["check"], args].concat()).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let good = run(&cli.check, &mut out, &mut err).unwrap();
        (
            good,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn good_files_are_named_on_stdout_and_the_mistakes_of_bad_ones_on_stderr() {
        let folder = tempfile::tempdir().unwrap();
        let good = file(&folder, "good.json", r#"{"prestart":[]}"#);
        let bad = file(
            &folder,
            "bad.json",
            r#"{"prestart":[{"path":"/bin"},{"path":"x"}]}"#,
        );
        let (all_good, out, err) = checked(&[&good, &bad]);
        assert!(!all_good);
        assert_eq!(out, format!("{good}: good\n"));
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines.len(), 2, "{err}");
        assert!(
            lines[0].starts_with(&format!("{bad}:1:22: prestart[0].path: ")),
            "{err}"
        );
        assert!(lines[0].ends_with("[not-regular]"), "{err}");
        assert!(lines[1].ends_with("[path-not-absolute]"), "{err}");
        assert!(checked(&[&good]).0);
    }

    #[test]
    fn json_holds_every_file_with_its_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let good = file(&folder, "good.json", "{}");
        let (all_good, out, err) = checked(&["--format", "json", &good, "/none/x.json"]);
        assert!(!all_good);
        assert_eq!(err, "");
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            report["files"][0],
            serde_json::json!({"file": good, "good": true, "mistakes": []})
        );
        assert_eq!(report["files"][1]["mistakes"][0]["rule"], "not-found");
        assert_eq!(report["files"][1]["mistakes"][0].get("line"), None);
    }

    #[test]
    fn a_relative_path_is_refused_as_the_daemon_would() {
        let (good, _, err) = checked(&["x.json"]);
        assert!(!good);
        assert_eq!(
            err,
            "x.json: x.json must begin with /; write the whole path from / [path-not-absolute]\n"
        );
    }

    #[test]
    fn no_file_and_an_unknown_format_are_wrong_usage() {
        for args in [&["check"][..], &["check", "--format", "xml", "/x"]] {
            assert_eq!(Cli::try_parse_from(args).err().unwrap().exit_code(), 2);
        }
    }
}
