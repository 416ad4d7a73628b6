//! Setting up the log lines of this process.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::Destination;
use super::destination::Surroundings;
use super::file::LogFile;
use super::format;
use super::journal::{self, JOURNAL};
use super::line::Lines;
use super::queue::Queue;

/// The maximum time to write the last lines at the end.
const LAST_LINES: Duration = Duration::from_millis(300);

/// The queue before the destination.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// The logging options of a command.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// Format of log lines
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,

    /// Destination of log lines: auto, stderr, journald, or a file
    #[arg(long, value_name = "WHERE", default_value = "auto")]
    pub(crate) log_to: Destination,

    /// Minimum log level: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LevelFilter,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sends all log lines from now on to the destination in `args`, or to stderr if it cannot be opened. No thread waits
/// for the destination: lines that it does not accept in time are dropped, and counted. A second call changes nothing.
pub(crate) fn start_logs(args: &LogArgs) {
    let (lines, trouble) = match lines(args) {
        Ok(lines) => (Ok(lines), None),
        Err(error) => (
            stderr().map(|queue| text_or_json(args.log_format, queue)),
            Some(error),
        ),
    };
    let Ok(lines) = lines else {
        // No thread can be started, so no daemon either; the next start reports it.
        return;
    };
    let _ = QUEUE.set(lines.queue.clone());
    // The ttrpc library logs through `log`. We report connections ourselves, so only its errors are passed on.
    let _ = tracing_log::LogTracer::builder()
        .with_max_level(log::LevelFilter::Error)
        .init();
    // Fails only if logs were started before.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(lines).with(args.log_level));
    // By default a panic is written to stderr by the thread that panics.
    panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    if let Some(error) = trouble {
        tracing::warn!(%error, to = ?args.log_to, "cannot use the destination of the log; logging to stderr");
    }
}

/// Waits briefly until the last lines are written.
pub(crate) fn flush_logs() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(LAST_LINES);
    }
}

fn lines(args: &LogArgs) -> io::Result<Lines> {
    let destination = match &args.log_to {
        // JSON is written as it is, without journald's own fields.
        Destination::Auto if args.log_format == LogFormat::Json => {
            match Surroundings::of_process().choose() {
                Destination::Journald => Destination::Stderr,
                other => other,
            }
        }
        Destination::Auto => Surroundings::of_process().choose(),
        other => other.clone(),
    };
    match destination {
        Destination::Auto | Destination::Stderr => Ok(text_or_json(args.log_format, stderr()?)),
        Destination::Journald => Ok(Lines {
            write: journal::entry,
            queue: journal::connect(Path::new(JOURNAL))?,
        }),
        Destination::File(path) => {
            let open = move || {
                let mut file = LogFile::open(&path)?;
                Ok(move |line: &[u8]| file.write(line))
            };
            Ok(text_or_json(args.log_format, Queue::before(open)?))
        }
    }
}

/// Not through the standard library's lock, for which a panic would wait.
fn stderr() -> io::Result<Queue> {
    let mut stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    Queue::before(move || Ok(move |line: &[u8]| stderr.write_all(line)))
}

fn text_or_json(log_format: LogFormat, queue: Queue) -> Lines {
    let write = match log_format {
        LogFormat::Text => format::text,
        LogFormat::Json => format::json,
    };
    Lines { write, queue }
}
