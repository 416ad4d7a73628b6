//! May root run, or act on, this file? Owner, mode, every directory and every link on the way.
#![forbid(unsafe_code)]

pub mod access;
mod content;
mod error;
mod file;
mod judge;
mod mounts;
mod survey;
mod walk;

#[cfg(test)]
mod tests;

pub use content::MaxSize;
pub use error::{Fault, FileKind, TrustError};
pub use file::{FileIdentity, TrustedDir, TrustedFile};
pub use survey::Survey;
