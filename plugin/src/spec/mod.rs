//! A hook-spec: its types, its parser, and its errors by line and column.

mod earlier;
mod fields;
mod hook;
mod hooks_d;
mod json;
mod other;
mod parse;
mod pattern;
mod places;
mod regexp;
mod report;
mod text;
mod when;

#[cfg(test)]
mod tests;

pub(crate) use hook::Hook;
pub use hook::HookSpec;
pub(crate) use hooks_d::is_hooks_d;
pub use hooks_d::parse_hooks_d;
pub use parse::parse;
pub(crate) use parse::{MAX_SIZE, Parsed, Program};
pub(crate) use pattern::Pattern;
pub(crate) use places::{HookPlaces, places};
pub(crate) use when::When;
