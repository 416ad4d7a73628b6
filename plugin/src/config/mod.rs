//! The daemon's configuration: its types, and its parser, which reports every error.

mod glob;
mod listen;
mod model;
mod policy;
mod read;
mod read_limits;
mod read_policy;
mod reload;
mod source;
mod values;

#[cfg(test)]
mod tests;

pub use glob::{Glob, Names};
pub(crate) use listen::{Listen, ListenAt};
pub(crate) use model::{Annotation, AnnotationKey, FailurePolicy, MissedAction};
pub use model::{Config, Delivery};
pub(crate) use policy::{Effect, Limits, SelectionRule};
pub(crate) use read::state_dir_of;
pub use read::{Overrides, keys};
pub(crate) use reload::{Changed, Checked, Reload};
pub use source::ConfigSource;
pub(crate) use source::ReadFrom;
