//! Setting up the log lines of this process.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use super::Destination;
use super::destination::{SYSLOG, Surroundings};
use super::file::LogFile;
use super::syslog::Syslog;

/// How a command that logs does so.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// How log lines are written
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// Where they go: auto, stderr, journald, syslog, or a file
    #[arg(long, value_name = "WHERE", default_value = "auto")]
    pub log_to: Destination,

    /// The least that is logged: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LevelFilter,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends all log lines from now on where `args` say, or to stderr if that cannot be had. A second
/// call changes nothing.
pub fn start_logs(args: &LogArgs) {
    let (layer, trouble) = match lines(args) {
        Ok(layer) => (layer, None),
        Err(error) => (text_or_json(args.log_format, io::stderr), Some(error)),
    };
    // The ttrpc library logs through `log`; what it has to say of a connection is ours to judge,
    // so only its errors are passed on.
    let _ = tracing_log::LogTracer::builder()
        .with_max_level(log::LevelFilter::Error)
        .init();
    // Fails only where logs were started before.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(layer).with(args.log_level));
    if let Some(error) = trouble {
        tracing::warn!(%error, to = ?args.log_to, "cannot log there; logging to stderr");
    }
}

fn lines(args: &LogArgs) -> io::Result<BoxedLayer> {
    let destination = match &args.log_to {
        // Whoever asks for JSON wants it as it is.
        Destination::Auto if args.log_format == LogFormat::Json => match Surroundings::look().choose() {
            Destination::Journald => Destination::Stderr,
            other => other,
        },
        Destination::Auto => Surroundings::look().choose(),
        other => other.clone(),
    };
    Ok(match destination {
        Destination::Auto | Destination::Stderr => text_or_json(args.log_format, io::stderr),
        Destination::Journald => tracing_journald::layer()?
            .with_field_prefix(None)
            // Launched by the runtime the program has another name.
            .with_syslog_identifier("nri-oci-hooks".to_owned())
            .boxed(),
        // Syslog notes the time itself.
        Destination::Syslog => {
            let syslog = Syslog::connect(Path::new(SYSLOG))?;
            layer()
                .without_time()
                .with_ansi(false)
                .with_writer(syslog)
                .boxed()
        }
        Destination::File(path) => text_or_json(args.log_format, Mutex::new(LogFile::open(&path)?)),
    })
}

fn text_or_json<W>(format: LogFormat, writer: W) -> BoxedLayer
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = layer().with_ansi(false).with_writer(writer);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    }
}
