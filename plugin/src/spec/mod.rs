//! A hook-spec: its types, its reading, and what is wrong with it, by line and column.

mod fields;
mod hook;
mod json;
mod parse;
mod places;
mod report;
mod stage;
#[cfg(test)]
mod tests;

pub use hook::{Hook, HookSpec, Timeout};
pub use parse::{MAX_SIZE, Parsed, Program, parse};
pub use places::{HookPlaces, places};
pub use stage::Stage;
