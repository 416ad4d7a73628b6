//! The commands for people.

mod check;

pub use check::{CheckArgs, Format, check};
