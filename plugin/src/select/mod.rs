//! Which hooks does this container get: default spec, annotation, merge.

mod annotation;
mod cache;
mod default;
mod frozen;
mod load;
mod locate;
mod merge;
mod selector;

#[cfg(test)]
mod tests;

pub use annotation::{AnnotationFault, MOST_PICKS};
pub use frozen::{Frozen, FrozenHook, Source};
pub use load::LoadedSpec;
pub use locate::PickFault;
pub use merge::DEFAULT_PATH;
pub use selector::{SelectError, Selected, Selector, Subject};
