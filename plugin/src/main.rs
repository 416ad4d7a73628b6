//! The one binary: daemon and tools.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nri_oci_hooks::cli::{self, CheckArgs, DoctorArgs, ExplainArgs, LogArgs, PsArgs, RunArgs, StatusArgs};
use nri_oci_hooks::runner;

/// OCI hooks for every Kubernetes container, through NRI
#[derive(Parser)]
#[command(name = "nri-oci-hooks", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon
    Run(RunArgs),
    /// Tell every mistake of hook-spec files
    Check(CheckArgs),
    /// List the containers that have hooks, and where each stage stands
    Ps(PsArgs),
    /// Examine this node: runtime, NRI, files, daemon
    Doctor(DoctorArgs),
    /// Tell what the daemon says of itself: runtime, configuration, what is in force
    Status(StatusArgs),
    /// Show which hooks ran for which container, and how they ended
    Log(LogArgs),
    /// Tell which hooks the containers of a pod would get, and why
    Explain(ExplainArgs),
}

fn main() -> ExitCode {
    // A container waits for the runner: it goes without whatever the others need.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == runner::COMMAND) {
        return runner::main(arguments);
    }
    // The runtime launches its plugins without arguments.
    let alone = std::env::args_os().len() <= 1;
    let cli = if alone && cli::is_launched() {
        Cli::parse_from(["nri-oci-hooks", "run"])
    } else {
        Cli::parse()
    };
    match cli.command {
        Command::Run(args) => cli::run(args),
        Command::Check(args) => cli::check(args),
        Command::Ps(args) => cli::ps(args),
        Command::Doctor(args) => cli::doctor(args),
        Command::Status(args) => cli::status(args),
        Command::Log(args) => cli::log(args),
        Command::Explain(args) => cli::explain(args),
    }
}
