//! What `log` is asked, and what it exits with.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::history::{self, Event};
use super::show::show;
use super::timeline;
use crate::cli::complain::{complain, fail};
use crate::cli::ledger::is_meant;
use crate::cli::{Format, LedgerArg};
use crate::ledger::{Header, Ledger};
use crate::model::ContainerId;

/// How often `--follow` looks for what is new.
const LOOK: Duration = Duration::from_millis(500);

const MORE: &str = "\
Hooks of containers that were removed are shown too: the ledger keeps the last 200 of them, for seven
days. It knows nothing of hooks with delivery direct, which the OCI runtime runs itself.

Exit status:
  0  everything is printed, even if it is nothing
  1  there is no ledger, or it cannot be read
  2  wrong usage

Examples:
  nri-oci-hooks log
  nri-oci-hooks log default/web
  nri-oci-hooks log --follow
  nri-oci-hooks log --timeline default/web
  nri-oci-hooks log --format json | jq 'select(.event == \"hook\" and .outcome != \"exited\")'";

/// What `log` is asked.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct LogArgs {
    /// Only these: the beginning of a container's id, a container's or a pod's name, or NAMESPACE/POD
    #[arg(value_name = "CONTAINER|POD")]
    pub wanted: Option<String>,

    /// Go on with what happens from now on
    #[arg(long, short)]
    pub follow: bool,

    /// Draw each container's life as bars on one time axis, which is not to scale
    #[arg(long, conflicts_with_all = ["follow", "format"])]
    pub timeline: bool,

    /// Where the ledger is
    #[command(flatten)]
    pub ledger: LedgerArg,

    /// How to print the result; JSON is one object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Prints what happened to containers, in order of time. Exits 0, or 1 if there is no ledger or it
/// could not be printed.
pub fn log(args: LogArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

pub(super) fn run(args: &LogArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let ledger = args.ledger.open()?;
    let meant = |id: &ContainerId, header: &Header| {
        let wanted = args.wanted.as_deref();
        wanted.is_none_or(|wanted| is_meant(wanted, id, header))
    };
    if args.timeline {
        return draw(&ledger, meant, out);
    }
    let mut printed = HashSet::new();
    let mut told = HashSet::new();
    loop {
        let (events, errors) = history::read(&ledger, meant)?;
        for error in errors.iter().map(ToString::to_string) {
            if told.insert(error.clone()) {
                complain(&error);
            }
        }
        // What is new: an event is told by its time, its container and its stage. Those of containers
        // that are forgotten are forgotten here too.
        let mut seen = HashSet::new();
        for event in &events {
            let key = (
                event.at,
                event.id.clone(),
                event.stage,
                std::mem::discriminant(&event.what),
            );
            if !printed.contains(&key) {
                print(event, args.format, out)?;
            }
            seen.insert(key);
        }
        printed = seen;
        out.flush()?;
        if !args.follow {
            return Ok(());
        }
        sleep(LOOK);
    }
}

fn draw(
    ledger: &Ledger,
    meant: impl Fn(&ContainerId, &Header) -> bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (lives, errors) = timeline::read(ledger, meant)?;
    for error in errors {
        complain(&error);
    }
    for life in lives {
        life.print(out)?;
    }
    Ok(())
}

fn print(event: &Event, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    match format {
        Format::Text => show(event, out)?,
        Format::Json => {
            serde_json::to_writer(&mut *out, event)?;
            writeln!(out)?;
        }
    }
    Ok(())
}
