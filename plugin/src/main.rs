//! The only binary: daemon and tools.

use std::process::ExitCode;

use clap::Parser;
use nri_oci_hooks::cli::{self, CommandLine};
use nri_oci_hooks::{front, runner};

fn main() -> ExitCode {
    // A container waits for the runner, so no other work is done before it.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == runner::COMMAND) {
        return runner::main(arguments);
    }
    // The front holds the connection to the runtime, and must be as small as possible.
    if front::is_front(std::env::args_os().nth(1).as_deref()) {
        return front::main();
    }
    // The runtime launches its plugins without arguments.
    let alone = std::env::args_os().len() <= 1;
    let command_line = if alone && cli::is_launched() {
        CommandLine::parse_from(["nri-oci-hooks", "run"])
    } else {
        CommandLine::parse()
    };
    command_line.execute()
}
