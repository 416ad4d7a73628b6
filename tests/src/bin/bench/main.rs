//! The benchmark: drives NRI plugins with the fake runtime on the same messages, or measures `nri-oci-hooks` on a real
//! containerd, and prints a table.
//!
//! All that is compared takes turns, so that other work of the machine affects it alike.

mod arguments;
mod bystander;
mod events;
mod lives;
mod message;
mod plugin;
mod process;
mod report;
mod statistics;
mod way;

use std::process::ExitCode;

use arguments::{Arguments, Mode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("bench: {error}; see hack/bench --help");
            return ExitCode::from(2);
        }
    };
    let measured = match arguments.mode {
        Mode::Events => events::run(&arguments).await,
        Mode::Runtime => lives::run(&arguments).await,
        Mode::Bystander => bystander::run(&arguments).await,
    };
    match measured {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
