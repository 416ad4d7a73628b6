//! The format in which a command prints its result.

use clap::ValueEnum;

/// The format in which a command prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: JSON on stdout
    Json,
}
