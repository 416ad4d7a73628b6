//! The arguments of `ps`, and the table that it prints.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::bounded::within;
use crate::cli::complain::{complain, fail};
use crate::cli::ledger::{is_meant, is_named};
use crate::cli::{Format, LedgerArg};
use crate::daemon::WithoutHooks;
use crate::ledger::{EntryDirectory, Header, Ledger, LedgerError, StageStatus};
use crate::model::{ContainerId, Stage, Timestamp, escaped, one_line};
use crate::observe::request_status;
use crate::runner::needs_program;

/// The maximum time for the daemon's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

const MORE: &str = "\
Lists the containers that still need this program: their init runs, or their poststop hooks are pending.
If the daemon answers, the list ends with containers that run without their hooks.

A stage is waiting (not started), running, interrupted (its runner died; the next one continues), done,
failed (prestart: the container did not start) or skipped. 1/3 means the first of three hooks.

Exit status:
  0  the list is printed, even if it is empty
  1  there is no ledger, or it cannot be read
  2  wrong usage

Examples:
  nri-oci-hooks ps
  nri-oci-hooks ps default/web
  nri-oci-hooks ps --format json | jq 'select(.poststop.status == \"interrupted\")'";

/// The arguments of `ps`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct PsArgs {
    /// Select containers: the beginning of a container's id, a container's or a pod's name, or NAMESPACE/POD
    #[arg(value_name = "CONTAINER|POD")]
    pub(crate) wanted: Option<String>,

    /// Also list containers that are over but not removed by their runtime. A named container is always
    /// listed
    #[arg(long, short)]
    pub(crate) all: bool,

    /// The options of the ledger
    #[command(flatten)]
    pub(crate) ledger: LedgerArg,

    /// Format of the result; JSON is one object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Lists the containers in the ledger that need the program. Exits 0, or 1 if there is no
/// ledger or the list could not be printed.
pub(crate) fn ps(args: PsArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// One container.
#[derive(Serialize)]
struct Row {
    namespace: String,
    pod: String,
    container: String,
    id: ContainerId,
    at: Timestamp,
    needs_program: bool,
    prestart: StageStatus,
    /// Run directly after prestart.
    #[serde(rename = "createRuntime")]
    create_runtime: StageStatus,
    poststart: StageStatus,
    poststop: StageStatus,
}

impl Row {
    fn new(id: ContainerId, directory: &EntryDirectory, header: Header) -> Result<Row, LedgerError> {
        let status = |stage| StageStatus::of(directory, &header, stage);
        Ok(Row {
            prestart: status(Stage::Prestart)?,
            create_runtime: status(Stage::CreateRuntime)?,
            poststart: status(Stage::Poststart)?,
            poststop: status(Stage::Poststop)?,
            needs_program: needs_program(directory, &header)?,
            id,
            at: header.at,
            namespace: header.identity.namespace,
            pod: header.identity.pod,
            container: header.identity.container,
        })
    }

    fn cells(&self) -> [String; 7] {
        [
            escaped(&self.namespace).to_string(),
            escaped(&self.pod).to_string(),
            escaped(&self.container).to_string(),
            self.id.as_str().chars().take(13).collect(),
            match self.create_runtime {
                StageStatus::None => self.prestart.to_string(),
                _ => format!("{}, createRuntime {}", self.prestart, self.create_runtime),
            },
            self.poststart.to_string(),
            self.poststop.to_string(),
        ]
    }
}

pub(super) fn run(args: &PsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let ledger = args.ledger.open()?;
    let mut rows = rows(&ledger, args.wanted.as_deref())?;
    rows.retain(|row| args.all || args.wanted.is_some() || row.needs_program);
    rows.sort_by_key(|row| row.at);
    let without = without_hooks(ledger.root(), args.wanted.as_deref());
    match args.format {
        Format::Json => {
            for row in &rows {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)?;
            }
            for row in without.iter().map(WithoutRow::new) {
                serde_json::to_writer(&mut *out, &row)?;
                writeln!(out)?;
            }
        }
        Format::Text => {
            table(&rows, out).context("cannot print")?;
            print_without(&without, out).context("cannot print")?;
        }
    }
    Ok(())
}

/// The containers that the daemon has found without their hooks; none if no daemon answers in time.
fn without_hooks(state_dir: &Path, wanted: Option<&str>) -> Vec<WithoutHooks> {
    let state_dir = state_dir.to_owned();
    let status = within(ANSWER_TIMEOUT, move || request_status(&state_dir).ok()).flatten();
    let found = status.map(|status| status.without_hooks).unwrap_or_default();
    let is_wanted = |it: &WithoutHooks| {
        wanted.is_none_or(|wanted| is_named(wanted, &it.id, [&it.namespace, &it.pod, &it.container]))
    };
    found.into_iter().filter(is_wanted).collect()
}

/// One of these containers, for programs.
#[derive(Serialize)]
struct WithoutRow<'r> {
    namespace: &'r str,
    pod: &'r str,
    container: &'r str,
    id: &'r str,
    without_hooks: WhyAndThen<'r>,
}

#[derive(Serialize)]
struct WhyAndThen<'r> {
    why: &'r str,
    then: &'r str,
}

impl<'r> WithoutRow<'r> {
    fn new(it: &'r WithoutHooks) -> WithoutRow<'r> {
        WithoutRow {
            namespace: &it.namespace,
            pod: &it.pod,
            container: &it.container,
            id: &it.id,
            without_hooks: WhyAndThen {
                why: &it.why,
                then: &it.then,
            },
        }
    }
}

fn print_without(without: &[WithoutHooks], out: &mut impl Write) -> io::Result<()> {
    if without.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwithout the hooks that they should have:")?;
    for it in without {
        let name = [&it.namespace, &it.pod, &it.container].map(|part| escaped(part).to_string());
        let id: String = it.id.chars().take(13).collect();
        let (why, then) = (one_line(&it.why), one_line(&it.then));
        writeln!(out, "{}  {}  {why}; {then}", name.join("/"), escaped(&id))?;
    }
    Ok(())
}

fn rows(ledger: &Ledger, wanted: Option<&str>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for id in ledger.tracked()? {
        let row = ledger.find(&id).and_then(|directory| {
            // It may be removed at the same time.
            let Some(directory) = directory else {
                return Ok(None);
            };
            let header = directory.header()?;
            let is_meant = wanted.is_none_or(|wanted| is_meant(wanted, &id, &header));
            is_meant.then(|| Row::new(id, &directory, header)).transpose()
        });
        match row {
            Ok(row) => rows.extend(row),
            Err(error) => complain(&error),
        }
    }
    Ok(rows)
}

const HEADINGS: [&str; 7] = [
    "NAMESPACE",
    "POD",
    "CONTAINER",
    "ID",
    "PRESTART",
    "POSTSTART",
    "POSTSTOP",
];

fn table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let lines: Vec<[String; 7]> = [HEADINGS.map(str::to_owned)]
        .into_iter()
        .chain(rows.iter().map(Row::cells))
        .collect();
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.len().max(*width);
        }
    }
    for line in &lines {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(line) {
            text += &format!("{cell:<width$}  ");
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}
