//! The benchmark: drives one or more NRI plugins with the fake runtime on the same messages, and prints a table;
//! or measures `nri-oci-hooks` on a real containerd.
//!
//! Plugins take turns within every phase, so that whatever else the machine does hits them alike.

mod arguments;
mod bystander;
mod hook_spec;
mod message;
mod phases;
mod plugin;
mod process;
mod report;
mod runtime;
mod statistics;
mod way;

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;
use hook_spec::HookSpec;
use plugin::Subject;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let measured = if arguments.next_if_eq("--runtime").is_some() {
        match runtime::Arguments::parse(arguments) {
            Ok(arguments) => run_on_a_runtime(&arguments),
            Err(error) => return misused(&error, runtime::USAGE),
        }
    } else if arguments.next_if_eq("--bystander").is_some() {
        match bystander::Arguments::parse(arguments) {
            Ok(arguments) => run_with_a_bystander(&arguments),
            Err(error) => return misused(&error, bystander::USAGE),
        }
    } else {
        match Arguments::parse(arguments) {
            Ok(arguments) => run(&arguments),
            Err(error) => return misused(&error, arguments::USAGE),
        }
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn misused(error: &anyhow::Error, usage: &str) -> ExitCode {
    eprintln!("bench: {error}\n\n{usage}");
    ExitCode::from(2)
}

#[tokio::main(flavor = "current_thread")]
async fn run_on_a_runtime(arguments: &runtime::Arguments) -> anyhow::Result<()> {
    runtime::run(arguments).await
}

#[tokio::main(flavor = "current_thread")]
async fn run_with_a_bystander(arguments: &bystander::Arguments) -> anyhow::Result<()> {
    bystander::run(arguments).await
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let spec = HookSpec::write(scratch.path())?;
    let mut subjects = Vec::new();
    for (number, command) in arguments.plugins.iter().enumerate() {
        let socket = scratch.path().join(format!("nri-{number}.sock"));
        subjects.push(Subject::new(command, &socket, spec.path())?);
    }

    // Ended by a signal, this process would leave its plugins behind.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        measured = measure(arguments, &mut subjects) => measured?,
        _ = terminated.recv() => anyhow::bail!("terminated"),
        _ = interrupted.recv() => anyhow::bail!("interrupted"),
    }

    print!("{}", report::table(arguments, &subjects));
    Ok(())
}

async fn measure(arguments: &Arguments, subjects: &mut [Subject]) -> anyhow::Result<()> {
    phases::starts(subjects, arguments.starts).await?;
    phases::rest(subjects).await?;
    // First: the containers of the next phase are never removed, and would be looked for in the runtime's list.
    phases::synchronize(subjects, arguments.containers).await?;
    phases::creates(subjects, arguments.creates).await?;
    phases::long_message(subjects).await?;
    phases::lives(subjects, arguments.lives).await
}
