//! The daemon's configuration: what can be set, and reading it with every mistake told.

mod model;
mod read;
mod values;

#[cfg(test)]
mod tests;

pub use model::{Annotation, AnnotationKey, Config, Delivery, FailurePolicy};
pub use read::Overrides;
