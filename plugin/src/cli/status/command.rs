//! The arguments of `status`, and its output.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::newer::newer;
use crate::bounded::within;
use crate::cli::forked::{self, LIMIT};
use crate::cli::{Format, LedgerArg};
use crate::daemon::ConfiguredBy;
use crate::doctor::requires_plugin;
use crate::front::{Registrations, Report};
use crate::model::{counted, escaped, one_line};
use crate::node::Node;
use crate::observe::{Connection, OnSilence, Status, request_status};
use crate::trust::access;

const MORE: &str = "\
Exit status:
  0  the daemon is ready, and no older version of a file is active
  1  the daemon is not ready, an older version is active, or no daemon answers
  2  wrong usage

Examples:
  nri-oci-hooks status
  nri-oci-hooks status --format json | jq .connection";

/// The maximum time of the check whether the daemon is a required plugin.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct StatusArgs {
    /// The options of the ledger: the daemon's socket is in its state directory
    #[command(flatten)]
    pub(crate) ledger: LedgerArg,

    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Prints the daemon's status. Exits 0 if it is ready, 1 if it is not or if no daemon answers.
pub(crate) fn status(args: StatusArgs) -> ExitCode {
    forked::run(|out| run(&args, out))
}

/// Whether the daemon is ready.
fn run(args: &StatusArgs, out: &mut impl Write) -> anyhow::Result<bool> {
    let ledger = args.ledger.clone();
    let status = within(LIMIT, move || {
        Ok(request_status(Path::new(&*ledger.state_dir()))?)
    });
    let mut status = status.unwrap_or_else(|| Err(not_answered()))?;
    let answer = status.clone();
    status.newer = within(CHECK_TIMEOUT, move || newer(&answer)).unwrap_or_default();
    match args.format {
        Format::Text => {
            let is_required = within(CHECK_TIMEOUT, || requires_plugin(&Node::new("/")));
            print(&status, is_required.flatten(), out)?;
        }
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &status)?;
            writeln!(out)?;
        }
    }
    Ok(status.not_ready.is_empty() && status.degraded.is_empty())
}

/// The error if the search for the daemon's socket does not end in time.
fn not_answered() -> anyhow::Error {
    match access::unanswered().first() {
        Some(unanswered) => anyhow!("{unanswered}; check its disk or its server"),
        None => anyhow!("cannot find the daemon within {} s", LIMIT.as_secs()),
    }
}

/// Prints the status for people. `is_required` is whether the runtime creates no container without the
/// daemon, if that is known. Text from other sources is escaped.
pub(super) fn print(status: &Status, is_required: Option<bool>, out: &mut impl Write) -> io::Result<()> {
    let since = status.since.to_the_millisecond();
    let (version, pid) = (escaped(&status.version), status.pid);
    writeln!(out, "daemon         {version}, process {pid}, since {since}")?;
    if let Some(Report {
        registrations,
        ended,
        hung,
        answered,
        ..
    }) = &status.front
    {
        let Registrations {
            start,
            runtime,
            subscription,
        } = registrations;
        writeln!(
            out,
            "front          registered {}: {start} at the start, {runtime} after the runtime closed the connection, \
             {subscription} for other events\n               \
             daemons replaced: {ended} ended, {hung} hung; requests answered for them: {answered}",
            counted(
                (start + runtime + subscription).try_into().unwrap_or(usize::MAX),
                "time"
            )
        )?;
    }
    print_connection(&status.connection, out)?;
    match is_required {
        Some(true) => writeln!(
            out,
            "if it is gone  the runtime refuses containers: the daemon is a required plugin"
        )?,
        Some(false) => writeln!(out, "if it is gone  the runtime creates containers without hooks")?,
        None => {}
    }
    let state = match (status.not_ready.is_empty(), status.degraded.is_empty()) {
        (true, true) => "yes",
        (true, false) => "yes, but degraded",
        (false, _) => "no",
    };
    writeln!(out, "ready          {state}")?;
    for reason in status.not_ready.iter().chain(&status.degraded) {
        writeln!(out, "               - {}", one_line(reason))?;
    }
    match &status.configured_by {
        ConfiguredBy::Defaults => writeln!(out, "configuration  none; the defaults apply")?,
        ConfiguredBy::File(file) => writeln!(out, "configuration  {}", escaped(file))?,
        ConfiguredBy::Runtime => writeln!(out, "configuration  handed over by the runtime")?,
    }
    writeln!(out, "delivery       {}", escaped(&status.delivery))?;
    match &status.no_ledger {
        None => writeln!(out, "ledger         {}", escaped(&status.state_dir))?,
        Some(reason) => writeln!(out, "ledger         none: {}", one_line(reason))?,
    }
    for file in &status.active {
        let (what, file, digest) = (one_line(&file.what), escaped(&file.file), escaped(&file.digest));
        writeln!(out, "active         {what} {file}\n               {digest}")?;
    }
    for it in &status.image_programs {
        writeln!(
            out,
            "program        {}\n               of {it}",
            escaped(&it.program)
        )?;
    }
    for file in &status.newer {
        writeln!(
            out,
            "newer          {}: the daemon applies it with the next container",
            escaped(file)
        )?;
    }
    for error in &status.invalid_specs {
        writeln!(out, "invalid        {}", one_line(error))?;
    }
    for handler in &status.unhooked_handlers {
        let handler = if handler.is_empty() { "(default)" } else { handler };
        writeln!(
            out,
            "no hooks       runtime handler {} runs no OCI hooks",
            escaped(handler)
        )?;
    }
    for it in &status.without_hooks {
        let name = [&it.namespace, &it.pod, &it.container].map(|part| escaped(part).to_string());
        let (why, then) = (one_line(&it.why), one_line(&it.then));
        writeln!(out, "without hooks  {}: {why}; {then}", name.join("/"))?;
    }
    if let Some(error) = &status.last_error {
        writeln!(
            out,
            "last error     {}: {}",
            error.at.to_the_millisecond(),
            one_line(&error.text)
        )?;
    }
    Ok(())
}

fn print_connection(connection: &Connection, out: &mut impl Write) -> io::Result<()> {
    let Some(registered) = connection.registered else {
        writeln!(out, "runtime        not registered")?;
        if let Some(lost) = &connection.lost {
            writeln!(
                out,
                "               lost {}: {}",
                lost.at.to_the_millisecond(),
                one_line(&lost.text)
            )?;
        }
        return Ok(());
    };
    let word = |word: &Option<String>| {
        word.as_deref()
            .map_or_else(|| "?".to_owned(), |word| escaped(word).to_string())
    };
    let nri = match &connection.nri_version {
        Some(version) => format!("NRI {}", escaped(version)),
        None => "NRI before 0.12, which does not announce its version".to_owned(),
    };
    let (runtime, version) = (word(&connection.runtime), word(&connection.runtime_version));
    writeln!(out, "runtime        {runtime} {version}, {nri}")?;
    let state = if connection.synchronized {
        ", synchronized"
    } else {
        ""
    };
    writeln!(
        out,
        "               registered since {}{state}",
        registered.to_the_millisecond()
    )?;
    let Some(on_silence) = connection.on_silence else {
        return Ok(());
    };
    let does = match on_silence {
        OnSilence::Refuse => "containers are refused",
        OnSilence::Ignore => "containers are created without hooks: failure_policy is ignore",
        OnSilence::LetThrough => {
            "its front answers by failure_policy; if that hangs too, containers are created without hooks: \
             the runtime's NRI is older than 0.12.5"
        }
    };
    writeln!(out, "if it hangs    {does}")
}
