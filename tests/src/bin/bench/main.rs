//! The benchmark: drives one or more NRI plugins with the fake runtime on the same messages, and prints a table.
//!
//! Plugins take turns within every phase, so that whatever else the machine does hits them alike.

mod arguments;
mod hook_spec;
mod message;
mod phases;
mod plugin;
mod process;
mod report;

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;
use hook_spec::HookSpec;
use plugin::Subject;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("bench: {error}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
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
    phases::creates(subjects, arguments.creates).await?;
    phases::synchronize(subjects, arguments.containers).await?;
    phases::long_message(subjects).await
}
