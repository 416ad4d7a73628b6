//! Selects the hooks of a container: default spec, hooks.d, annotation, policy, merge.

mod annotation;
mod cache;
mod conditions;
mod copies;
mod deadline;
mod deliverable;
mod digest;
mod hooks_d;
mod image_program;
mod last_good;
mod load;
mod loads;
mod locate;
mod merge;
mod policy;
mod select_error;
mod selectable;
mod selection_fault;
mod selector;
mod subject;
mod unused;

#[cfg(test)]
mod tests;

pub(crate) use annotation::AnnotationFault;
pub(crate) use copies::{Copies, LastGood, OlderVersion};
pub use deadline::Deadline;
pub(crate) use deadline::Overdue;
pub(crate) use deliverable::{Deliveries, NotDeliverable};
pub(crate) use digest::Digest;
pub(crate) use image_program::ImageProgram;
pub(crate) use image_program::{DIGEST_PREFIX, MAX_REFERENCE, REFERENCE, is_version, version_directory};
pub(crate) use last_good::{is_gone, is_not_answered};
pub(crate) use load::{Format, LoadedSpec};
pub(crate) use loads::Loads;
pub(crate) use merge::DEFAULT_PATH;
pub(crate) use select_error::SelectError;
pub(crate) use selection_fault::SelectionFault;
pub(crate) use selector::Selected;
pub use selector::Selector;
pub use subject::Subject;
pub(crate) use unused::{Unknown, Unused, specs_in};
