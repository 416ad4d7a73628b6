//! How a command prints what it found.

use clap::ValueEnum;

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: JSON on stdout
    Json,
}
