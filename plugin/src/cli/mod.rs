//! The commands for people.

mod check;
mod config;
mod format;
mod run;

pub use check::{CheckArgs, check};
pub use config::{ConfigArg, DEFAULT_CONFIG};
pub use format::Format;
pub use run::{RunArgs, is_launched, run};
