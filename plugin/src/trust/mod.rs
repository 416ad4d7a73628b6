//! Checks whether root may run a file or act on it: its owner, its mode, and every directory and link on the
//! path.
#![forbid(unsafe_code)]

pub(crate) mod access;
mod check;
mod content;
mod error;
mod file;
mod mounts;
mod path_cache;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use content::MaxSize;
pub(crate) use error::{Fault, TrustError};
pub(crate) use file::{FileIdentity, TrustedDir, TrustedFile};
pub(crate) use path_cache::PathCache;
