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
pub use listen::{Listen, ListenAt};
pub use model::{Annotation, AnnotationKey, Config, Delivery, FailurePolicy, MissedAction};
pub use policy::{Effect, Limits, SelectionRule};
pub(crate) use read::state_dir_of;
pub use read::{Overrides, keys};
pub use reload::{Changed, Look, Reload};
pub use source::{ConfigSource, ReadConfig, ReadFrom};
