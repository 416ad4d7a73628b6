//! The commands for people.

mod check;
mod config;
mod run;

pub use check::{CheckArgs, Format, check};
pub use config::{ConfigArg, DEFAULT_CONFIG};
pub use run::{RunArgs, is_launched, run};
