//! Containers that were created without the hooks that they should have: found at Synchronize, reported, and
//! on request created again.

mod end;
mod find;
mod init;
mod listed;
mod registry;
mod verdict;

pub(super) use registry::Missed;
pub use registry::WithoutHooks;
