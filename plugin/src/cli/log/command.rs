//! The arguments of `log`, and its exit status.

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::history::{self, Event, History, Tracked};
use super::show::show;
use super::timeline::Life;
use crate::cli::complain::{complain, fail};
use crate::cli::{Format, LedgerArg};
use crate::ledger::{ArchivedContainer, Ledger, LedgerError};
use crate::model::{Timestamp, escaped};

/// The interval at which `--follow` looks for new events.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The maximum age of an event that `--follow` has not printed yet: a record is written at once.
const RECENT: Duration = Duration::from_secs(60);

const MORE: &str = "\
Also shows hooks of removed containers. The ledger keeps the last 200 containers, for seven days. With delivery
direct it has no records, because the OCI runtime runs the hooks.

Exit status:
  0  all events are printed, even if there are none
  1  there is no ledger, it cannot be read, or it has no container of this name
  2  wrong usage

Examples:
  nri-oci-hooks log
  nri-oci-hooks log default/web
  nri-oci-hooks log --follow
  nri-oci-hooks log --timeline default/web
  nri-oci-hooks log --format json | jq 'select(.event == \"hook\" and .status != 0)'";

/// The arguments of `log`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct LogArgs {
    /// Select containers: the beginning of a container's id, a container's or a pod's name, or NAMESPACE/POD
    #[arg(value_name = "CONTAINER|POD")]
    pub(crate) wanted: Option<String>,

    /// Continue, and print new events as they occur
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Draw each container's life as bars on a time axis, not to scale
    #[arg(long, conflicts_with_all = ["follow", "format"])]
    pub(crate) timeline: bool,

    /// The options of the ledger
    #[command(flatten)]
    pub(crate) ledger: LedgerArg,

    /// Format of the result; JSON is one object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Prints the events of containers, in order of time. Exits 0. Exits 1 if there is no ledger, it could not be
/// printed, or it has no container of the requested name.
pub(crate) fn log(args: LogArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

pub(super) fn run(args: &LogArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let ledger = args.ledger.open()?;
    let mut reported = HashSet::new();
    let mut complain_once = |error: &LedgerError| {
        let error = error.to_string();
        if reported.insert(error.clone()) {
            complain(&error);
        }
    };
    let wanted = args.wanted.as_deref();
    let mut printed = HashSet::new();
    for round in 0.. {
        let containers = history::containers(&ledger, wanted, &mut complain_once)?;
        if let (0, true, Some(wanted)) = (round, containers.is_empty(), wanted) {
            let nothing = anyhow!(
                "{}: no container of this name or id; {}",
                escaped(wanted),
                reach(&ledger)?
            );
            match args.follow {
                true => complain(&nothing),
                false => return Err(nothing),
            }
        }
        if args.timeline {
            return draw(&ledger, &containers, out);
        }
        // New events: an event is identified by its time, its container and its stage. Events that are new in
        // the ledger are recent.
        let now = Timestamp::now();
        let mut seen = HashSet::new();
        History::of(&ledger, containers, &mut complain_once).each(&ledger, |event| {
            let is_recent = now.since(event.at) < RECENT;
            let kind = std::mem::discriminant(&event.what);
            let key = (event.at, event.id.clone(), event.stage, kind);
            if round == 0 || is_recent && !printed.contains(&key) {
                print(event, args.format, out)?;
            }
            if args.follow && is_recent {
                seen.insert(key);
            }
            Ok(())
        })?;
        printed = seen;
        out.flush()?;
        if !args.follow {
            break;
        }
        sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// The start of the records: the first creation of a container in them.
fn reach(ledger: &Ledger) -> anyhow::Result<String> {
    let oldest = |archived: &ArchivedContainer| Some(ledger.open_archived(archived).ok()??.header().ok()?.at);
    let archived = ledger.archived()?.iter().find_map(oldest);
    let tracked = ledger.tracked()?.into_iter();
    let tracked = tracked.filter_map(|id| Some(ledger.find(&id).ok()??.header().ok()?.at));
    Ok(match archived.or_else(|| tracked.min()) {
        Some(at) => format!("the ledger begins at {}", at.to_the_millisecond()),
        None => "the ledger is empty".to_owned(),
    })
}

fn draw(ledger: &Ledger, containers: &[Tracked], out: &mut impl Write) -> anyhow::Result<()> {
    for container in containers {
        match container
            .open(ledger)
            .and_then(|directory| directory.as_ref().map(Life::read).transpose())
        {
            Ok(life) => life.map(|life| life.print(out)).transpose().map(drop)?,
            Err(error) => complain(&error),
        }
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
