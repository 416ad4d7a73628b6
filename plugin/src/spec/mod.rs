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

pub use hook::{Hook, HookSpec};
pub use hooks_d::{is_hooks_d, parse_hooks_d};
pub use parse::{MAX_SIZE, Parsed, Program, parse};
pub use pattern::Pattern;
pub use places::{HookPlaces, places};
pub use regexp::RegexpError;
pub use when::When;
