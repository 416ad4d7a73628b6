//! The errors of a file that an admin wrote, each with its place and its hint.

mod errors;
mod finding;
mod lines;
mod render;
mod rule;
mod secrets;
mod source;
mod suggest;

pub(crate) use errors::{Errors, timeout};
pub(crate) use finding::Place;
pub use finding::{Diagnostic, MAX_ERRORS};
pub(crate) use lines::Lines;
pub(crate) use render::{Severity, render};
pub(crate) use rule::Rule;
pub(crate) use source::SourceText;
pub(crate) use suggest::did_you_mean;
