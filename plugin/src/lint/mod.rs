//! Warnings about hook-specs that break no rule but are probably not as intended.

mod arguments;
mod delivery;
mod directory;
mod environment;
mod isulad;
mod lints;
mod look;
mod program;
mod shebang;
mod timeouts;

#[cfg(test)]
mod tests;

pub(crate) use isulad::lint_for_isulad;
pub(crate) use lints::lint;
pub(crate) use look::{Looked, look_at, named_by};
pub(crate) use timeouts::overruns;
