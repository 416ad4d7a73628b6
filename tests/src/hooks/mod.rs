//! Hook programs and hook-specs for a case, and what the programs recorded when they ran.

mod directory;
pub mod record;
mod spec;

pub use directory::Hooks;
pub use record::Record;
pub use spec::{Hook, HookSpec};
