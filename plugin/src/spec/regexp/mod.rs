//! Regular expressions as Go's `regexp` package reads them, translated to the `regex` crate's syntax.

mod class;
mod error;
mod escape;
mod flags;
mod pieces;
mod repeat;
mod translate;
mod unicode;

#[cfg(test)]
mod tests;

pub(crate) use error::RegexpError;
pub(super) use translate::{MAX_DEPTH, translate};
