//! The arguments of `doctor`, and its output.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::{ConfigArg, DEFAULT_CONFIG, Format, forked};
use crate::doctor::{Examination, examine};
use crate::model::counted;
use crate::node::{Finding, Level, Node};

const MORE: &str = "\
Checks the runtime's configuration, NRI's socket and plugin directory, the configuration, hook-specs and
programs, the state directory, and the daemon's status. Changes nothing.

Exit status:
  0  no problem was found (there may be warnings)
  1  a problem was found
  2  wrong usage

Examples:
  nri-oci-hooks doctor
  nri-oci-hooks doctor --format json | jq '.findings[] | select(.level == \"problem\")'";

/// The arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct DoctorArgs {
    /// The configuration of the daemon
    #[command(flatten)]
    pub(crate) config: ConfigArg,

    /// Directory with the files of the node; unless it is /, only files are examined
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,

    /// Also print the checks that pass
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Examines the node. Exits 0 if no problem is found, else 1.
pub(crate) fn doctor(args: DoctorArgs) -> ExitCode {
    forked::run(|out| Ok(run(&args, out)?))
}

/// Whether no problem is found.
pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> io::Result<bool> {
    let node = Node::new(&args.root);
    let of_image = node.path(DEFAULT_CONFIG);
    let config = match &args.config.config {
        None if !node.is_this_node() => {
            // A file whose existence is unknown is assumed to exist; reading it reports the error.
            let is_there = of_image.try_exists().unwrap_or(true);
            is_there.then(|| of_image.display().to_string())
        }
        _ => args.config.file().map(str::to_owned),
    };
    let findings = examine(&Examination {
        checks_files: node.is_this_node() || args.config.config.is_some(),
        node,
        config,
    });
    match args.format {
        Format::Text => print(&findings, args.verbose, out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &Findings { findings: &findings })?;
            writeln!(out)?;
        }
    }
    Ok(!findings.iter().any(Finding::is_problem))
}

#[derive(Serialize)]
struct Findings<'f> {
    findings: &'f [Finding],
}

fn print(findings: &[Finding], verbose: bool, out: &mut impl Write) -> io::Result<()> {
    for finding in findings
        .iter()
        .filter(|finding| verbose || finding.level != Level::Good)
    {
        writeln!(out, "{:7}  {}: {}", finding.level, finding.check, finding.what)?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "         {remedy}")?;
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    writeln!(
        out,
        "{}, {}, {} good",
        counted(problems, "problem"),
        counted(warnings, "warning"),
        count(Level::Good)
    )
}
