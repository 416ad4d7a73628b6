//! The errors of a file that an admin wrote, each with its place and its hint.

mod finding;
mod lines;
mod render;
mod rule;
mod secrets;
mod source;
mod suggest;

pub use finding::{Diagnostic, MAX_ERRORS, Place};
pub use lines::Lines;
pub use render::{Severity, render};
pub use rule::Rule;
pub use source::SourceText;
pub use suggest::did_you_mean;
