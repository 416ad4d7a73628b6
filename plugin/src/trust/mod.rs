//! Whether root may run this file or act on it: its owner, its mode, and every directory and link on the way.
#![forbid(unsafe_code)]

pub mod access;
mod check;
mod content;
mod error;
mod file;
mod mounts;
mod path_cache;
mod walk;

#[cfg(test)]
mod tests;

pub use content::MaxSize;
pub use error::{Fault, FileKind, TrustError};
pub use file::{FileIdentity, TrustedDir, TrustedFile};
pub use path_cache::PathCache;
