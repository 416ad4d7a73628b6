//! A hook-spec: its types, its reading, and what is wrong with it, by line and column.

mod hook;
mod stage;

pub use hook::{Hook, HookSpec, Timeout};
pub use stage::Stage;
