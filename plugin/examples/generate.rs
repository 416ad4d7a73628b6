//! Writes the man pages and the shell completions, made from the definition of the command line:
//!
//!     cargo run --package nri-oci-hooks --example generate -- DIRECTORY
//!
//! They are made here and not by the program itself, which a node runs for years and asks for them
//! never.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap_complete::{Shell, generate_to};
use nri_oci_hooks::cli::CommandLine;

const NAME: &str = "nri-oci-hooks";

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: generate DIRECTORY");
        return ExitCode::from(2);
    };
    match generate(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to {}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes `man/*.8` and `completions/*` below `directory`.
pub(crate) fn generate(directory: &Path) -> io::Result<()> {
    let completions = directory.join("completions");
    let pages = directory.join("man");
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&pages)?;
    let mut definition = CommandLine::definition();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut definition, NAME, &completions)?;
    }
    // Section 8: for who administers the system.
    let page = |command: clap::Command, name: &str| -> io::Result<()> {
        let mut text = Vec::new();
        let title = name.to_uppercase();
        clap_mangen::Man::new(command)
            .title(title)
            .section("8")
            .render(&mut text)?;
        fs::write(pages.join(format!("{name}.8")), text)
    };
    let commands = definition.get_subcommands();
    for command in commands.filter(|command| command.get_name() != "help") {
        let name = format!("{NAME}-{}", command.get_name());
        page(command.clone().display_name(&name), &name)?;
        for below in command.get_subcommands() {
            let name = format!("{name}-{}", below.get_name());
            page(below.clone().display_name(&name), &name)?;
        }
    }
    page(definition.clone(), NAME)
}
