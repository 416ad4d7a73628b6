//! Configuration, hook-specs and programs.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::examine::Examined;
use crate::diagnostic::Diagnostic;
use crate::lint::LintedFile;
use crate::model::escaped;
use crate::node::Finding;

/// Checks the files of hooks.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    for error in &examined.config_errors {
        findings.push(finding_of("config", error, true));
    }
    let config = &examined.config;
    if examined.checks_files
        && config.defaults().next().is_none()
        && config.hooks_dirs.is_empty()
        && examined.linted.is_empty()
    {
        let what = "no hook_spec, no hooks_dirs, and no hook-spec to select in annotation.spec_dirs: no container gets hooks";
        findings.push(Finding::warning(
            "hooks",
            what,
            "set hook_spec in the configuration to a hook-spec",
        ));
    }
    for linted in &examined.linted {
        let LintedFile { errors, warnings, .. } = linted;
        findings.extend(errors.iter().map(|error| finding_of("hook-spec", error, true)));
        findings.extend(
            warnings
                .iter()
                .map(|warning| finding_of("hook-spec", warning, false)),
        );
        if errors.is_empty() && warnings.is_empty() {
            findings.push(Finding::good("hook-spec", escaped(&linted.file).to_string()));
        }
    }
    findings.extend(examined.programs.iter().filter_map(|program| noexec(program)));
}

/// The finding that the kernel will not execute a program, whatever its mode.
pub(super) fn noexec(program: &str) -> Option<Finding> {
    let on = statvfs(Path::new(program)).ok()?;
    on.flags().contains(FsFlags::ST_NOEXEC).then(|| {
        let what = format!(
            "{} is on a file system mounted noexec: the kernel does not execute it",
            escaped(program)
        );
        Finding::problem("noexec", what, "move it, or mount the file system without noexec")
    })
}

fn finding_of(check: &'static str, finding: &Diagnostic, is_error: bool) -> Finding {
    let place = finding
        .place
        .map_or_else(String::new, |place| format!(":{}:{}", place.line, place.column));
    let subject = finding.subject();
    let colon = if subject.is_empty() { "" } else { ": " };
    let what = format!(
        "{}{place}: {subject}{colon}{} [{}]",
        escaped(&finding.file),
        finding.message,
        finding.rule
    );
    let make = if is_error {
        Finding::problem
    } else {
        Finding::warning
    };
    make(check, what, finding.help.clone())
}
