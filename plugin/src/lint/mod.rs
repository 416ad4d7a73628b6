//! Warnings about hook-specs that break no rule but are probably not as intended.

mod arguments;
mod delivery;
mod directory;
mod environment;
mod file;
mod isulad;
mod lints;
mod program;
mod shebang;
mod timeouts;

#[cfg(test)]
mod tests;

pub(crate) use file::{LintedFile, lint_file, named_by};
pub(crate) use isulad::lint_for_isulad;
pub(crate) use lints::lint;
pub(crate) use timeouts::overruns;
