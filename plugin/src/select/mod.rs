//! Which hooks does this container get: default spec, annotation, merge.

mod frozen;

pub use frozen::{Frozen, FrozenHook, Source};
