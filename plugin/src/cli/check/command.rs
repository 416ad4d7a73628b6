//! The arguments of `check`, and its exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::gather::gather;
use super::report::Report;
use crate::cli::{ConfigArg, Format, absolute};

const MORE: &str = "\
Exit status:
  0  all files are valid (there may be warnings)
  1  a file has an error, or with --deny-warnings a warning
  2  wrong usage

Examples:
  nri-oci-hooks check /etc/nri-oci-hooks/default.json
  nri-oci-hooks check --config /etc/nri-oci-hooks/config.toml
  nri-oci-hooks check --format json /etc/nri-oci-hooks/specs/*.json | jq .files[].errors";

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct CheckArgs {
    /// Hook-specs or hooks.d files [default with --config: those that the configuration names]
    #[arg(required_unless_present = "config", value_name = "FILE", value_parser = absolute)]
    pub(crate) files: Vec<String>,

    /// The configuration. It is checked too if it is named, and it decides how the hooks would be run
    #[command(flatten)]
    pub(crate) config: ConfigArg,

    /// Warn of onFailure, and of stages other than prestart, poststart and poststop, which iSulad does not
    /// have
    #[arg(long)]
    pub(crate) strict_isulad: bool,

    /// Exit 1 if there are warnings
    #[arg(long)]
    pub(crate) deny_warnings: bool,

    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Checks hook-specs, and the configuration if one is named. Exits 0 if all files are valid, 1 if there is an
/// error or the result could not be printed.
pub(crate) fn check(args: CheckArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Whether all files are valid.
pub(super) fn run(args: &CheckArgs, out: &mut impl Write, err: &mut impl Write) -> io::Result<bool> {
    let report = Report { files: gather(args) };
    match args.format {
        Format::Json => report.print_json(out)?,
        Format::Text => report.print_text(out, err)?,
    }
    Ok(report.is_good() && !(args.deny_warnings && report.has_warnings()))
}
