//! The findings of `check`, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity, SourceText, render};
use crate::lint::LintedFile;
use crate::model::{counted, escaped};

/// The findings of all files.
pub(super) struct Report {
    pub(super) files: Vec<LintedFile>,
}

/// The JSON report.
#[derive(Serialize)]
struct ReportJson<'c> {
    files: Vec<CheckedJson<'c>>,
}

/// One file in the JSON report.
#[derive(Serialize)]
struct CheckedJson<'c> {
    file: &'c str,
    good: bool,
    errors: &'c [Diagnostic],
    warnings: &'c [Diagnostic],
}

fn is_good(linted: &LintedFile) -> bool {
    linted.errors.is_empty()
}

/// Every finding with the severity that counts.
fn findings(linted: &LintedFile) -> impl Iterator<Item = (Severity, &Diagnostic)> {
    let errors = linted.errors.iter().map(|error| (Severity::Error, error));
    errors.chain(linted.warnings.iter().map(|warning| (Severity::Warning, warning)))
}

impl Report {
    pub(super) fn is_good(&self) -> bool {
        self.files.iter().all(is_good)
    }

    pub(super) fn has_warnings(&self) -> bool {
        self.files.iter().any(|checked| !checked.warnings.is_empty())
    }

    /// Prints valid files to `out`, a line each, and findings to `err`, with their number at the end.
    pub(super) fn print_text(&self, out: &mut impl Write, err: &mut impl Write) -> io::Result<()> {
        for checked in &self.files {
            let text = SourceText::new(&checked.text, &checked.errors);
            for (severity, finding) in findings(checked) {
                writeln!(err, "{}", render(severity, finding, Some(&text)))?;
            }
            if is_good(checked) {
                writeln!(out, "{}: good", escaped(&checked.file))?;
            }
        }
        let count = |findings: fn(&LintedFile) -> usize| self.files.iter().map(findings).sum();
        let errors = count(|checked| checked.errors.len());
        let warnings = count(|checked| checked.warnings.len());
        if errors + warnings > 0 {
            let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
            writeln!(
                err,
                "{errors}, {warnings} in {}",
                counted(self.files.len(), "file")
            )?;
        }
        Ok(())
    }

    /// Prints `{"files": [{"file", "good", "errors": [...], "warnings": [...]}]}` to `out`.
    pub(super) fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let files = self.files.iter().map(|checked| CheckedJson {
            file: &checked.file,
            good: is_good(checked),
            errors: &checked.errors,
            warnings: &checked.warnings,
        });
        let report = ReportJson {
            files: files.collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)
    }
}
