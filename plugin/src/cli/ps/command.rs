//! What `ps` is asked, and the table it prints.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::cli::complain::{complain, fail};
use crate::cli::ledger::is_meant;
use crate::cli::{Format, LedgerArg};
use crate::diagnostic::shown;
use crate::ledger::{ContainerId, EntryFolder, Header, Ledger, LedgerError, Moment, Standing};
use crate::spec::Stage;

const MORE: &str = "\
A stage is waiting (nothing of it has happened), running, interrupted (its runner died; the next one
goes on), done, failed (prestart: the container did not start) or skipped; then, which of its hooks.

Exit status:
  0  the list is printed, even if it is empty
  1  there is no ledger, or it cannot be read
  2  wrong usage

Examples:
  nri-oci-hooks ps
  nri-oci-hooks ps default/web
  nri-oci-hooks ps --format json | jq 'select(.poststop.standing == \"interrupted\")'";

/// What `ps` is asked.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct PsArgs {
    /// Only these: the beginning of a container's id, a container's or a pod's name, or NAMESPACE/POD
    #[arg(value_name = "CONTAINER|POD")]
    pub wanted: Option<String>,

    /// Where the ledger is
    #[command(flatten)]
    pub ledger: LedgerArg,

    /// How to print the result; JSON is one object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Lists the containers in the ledger that have not been removed. Exits 0, or 1 if there is no
/// ledger or the list could not be printed.
pub fn ps(args: PsArgs) -> ExitCode {
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
    at: Moment,
    prestart: Standing,
    poststart: Standing,
    poststop: Standing,
}

impl Row {
    fn new(id: ContainerId, folder: &EntryFolder, header: Header) -> Result<Row, LedgerError> {
        let standing = |stage| Standing::of(folder, &header, stage);
        Ok(Row {
            prestart: standing(Stage::Prestart)?,
            poststart: standing(Stage::Poststart)?,
            poststop: standing(Stage::Poststop)?,
            id,
            at: header.at,
            namespace: header.identity.namespace,
            pod: header.identity.pod,
            container: header.identity.container,
        })
    }

    fn cells(&self) -> [String; 7] {
        [
            shown(&self.namespace).to_string(),
            shown(&self.pod).to_string(),
            shown(&self.container).to_string(),
            self.id.as_str().chars().take(13).collect(),
            self.prestart.to_string(),
            self.poststart.to_string(),
            self.poststop.to_string(),
        ]
    }
}

pub(super) fn run(args: &PsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut rows = rows(&args.ledger.open()?, args.wanted.as_deref())?;
    rows.sort_by_key(|row| row.at);
    match args.format {
        Format::Json => {
            for row in &rows {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)?;
            }
        }
        Format::Text => table(&rows, out).context("cannot print")?,
    }
    Ok(())
}

fn rows(ledger: &Ledger, wanted: Option<&str>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for id in ledger.live()? {
        let row = ledger.find(&id).and_then(|folder| {
            // It may be removed while we look.
            let Some(folder) = folder else { return Ok(None) };
            let header = folder.header()?;
            let is_meant = wanted.is_none_or(|wanted| is_meant(wanted, &id, &header));
            is_meant.then(|| Row::new(id, &folder, header)).transpose()
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
