//! The commands for people.

mod check;
mod run;

pub use check::{CheckArgs, Format, check};
pub use run::{RunArgs, is_launched, run};
