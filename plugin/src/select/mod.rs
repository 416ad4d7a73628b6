//! Which hooks does this container get: default spec, hooks.d, annotation, policy, merge.

mod annotation;
mod cache;
mod conditions;
mod copies;
mod deadline;
mod deliverable;
mod digest;
mod frozen;
mod hooks_d;
mod kept;
mod load;
mod loads;
mod locate;
mod merge;
mod origin;
mod pick_fault;
mod policy;
mod selectable;
mod selector;
mod unused;

#[cfg(test)]
mod tests;

pub use annotation::{AnnotationFault, MOST_PICKS};
pub use copies::{Copies, LastGood, OlderVersion};
pub use deadline::{Deadline, Overdue};
pub use deliverable::{Deliveries, NotDeliverable};
pub use digest::Digest;
pub use frozen::{Frozen, FrozenHook, Source};
pub(crate) use kept::{is_gone, is_not_answered};
pub use load::{Format, LoadedSpec};
pub use loads::Loads;
pub use merge::DEFAULT_PATH;
pub use origin::{Chosen, Origin};
pub use pick_fault::PickFault;
pub use selector::{SelectError, Selected, Selector, Subject};
pub use unused::{Unknown, Unused, specs_in};
