//! Logs: lines on stderr, for people or machines.

use std::io;

use clap::ValueEnum;
use tracing::Level;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sends all log lines from now on to stderr. A second call changes nothing.
pub fn start_logs(format: LogFormat) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(Level::INFO)
        .with_writer(io::stderr)
        .with_ansi(false);
    // The ttrpc library logs through `log`; what it has to say of a connection is ours to judge,
    // so only its errors are passed on.
    let _ = tracing_log::LogTracer::builder()
        .with_max_level(log::LevelFilter::Error)
        .init();
    // Fails only where logs were started before.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(lines.json().finish()),
    };
}
