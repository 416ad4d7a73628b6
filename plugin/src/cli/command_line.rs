//! The whole command line.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::{
    CheckArgs, DoctorArgs, ExplainArgs, HandOverArgs, HostUnitArgs, LogArgs, PsArgs, RunArgs, RuntimeArgs,
    StatusArgs, check, doctor, explain, hand_over, host_unit, log, ps, run, runtime, status,
};

const MORE: &str = "\
Files:
  /etc/nri-oci-hooks/config.toml  the configuration
  /etc/nri-oci-hooks/specs        hook-specs that pods may select
  /var/lib/nri-oci-hooks          the ledger: the hooks of each container, and their results";

/// OCI hooks for every Kubernetes container, through NRI
#[derive(Debug, Parser)]
#[command(name = "nri-oci-hooks", version, arg_required_else_help = true, after_help = MORE)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

// The order in which a new user needs them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run(RunArgs),
    /// Validate hook-specs and the configuration
    Check(CheckArgs),
    /// Show which hooks the containers of a pod would get, and why
    Explain(ExplainArgs),
    /// Show the status of the daemon: runtime, active configuration, problems
    Status(StatusArgs),
    /// List the containers that have hooks, and the status of each stage
    Ps(PsArgs),
    /// Show which hooks ran for which container, and how they ended
    Log(LogArgs),
    /// Examine this node: runtime, NRI, files, daemon
    Doctor(DoctorArgs),
    /// Switch NRI on or off in the configuration of this node's runtime
    Runtime(RuntimeArgs),
    /// In a pod: run the daemon as a unit of the node, and serve its health
    HostUnit(HostUnitArgs),
    /// In a pod: hand over the hook programs of an image to the daemon
    HandOver(HandOverArgs),
}

impl CommandLine {
    /// The definition of the command line, from which man pages and completions are generated.
    pub fn definition() -> clap::Command {
        CommandLine::command()
    }

    /// Executes the command.
    pub fn execute(self) -> ExitCode {
        match self.command {
            Command::Run(args) => run(args),
            Command::Check(args) => check(args),
            Command::Explain(args) => explain(args),
            Command::Status(args) => status(args),
            Command::Ps(args) => ps(args),
            Command::Log(args) => log(args),
            Command::Doctor(args) => doctor(args),
            Command::Runtime(args) => runtime(args),
            Command::HostUnit(args) => host_unit(args),
            Command::HandOver(args) => hand_over(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_valid() {
        CommandLine::definition().debug_assert();
    }

    #[test]
    fn every_help_text_is_as_it_was_reviewed() {
        // In a terminal that is wider or narrower, the text would wrap at other places.
        let mut definition = CommandLine::definition().term_width(0);
        let mut help = definition.render_long_help().to_string();
        let names = definition
            .get_subcommands()
            .map(|command| command.get_name().to_owned());
        for name in names.collect::<Vec<_>>() {
            let command = definition.find_subcommand_mut(&name).unwrap();
            help.push_str(&format!("\n=== {name}\n{}", command.render_long_help()));
        }
        insta::assert_snapshot!("help", help);
    }
}
