//! What a daemon that lives in a pod brings to its host: its program, to run hooks, and the files of a
//! ConfigMap.
#![forbid(unsafe_code)]

mod error;
mod judge;
mod mirror;
mod program;
mod refused;
mod version;

pub use error::PodError;
pub use mirror::{Kept, Mirror};
pub use program::Program;
pub use refused::refused_in;

#[cfg(test)]
mod tests;
