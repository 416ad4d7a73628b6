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

pub use annotation::{AnnotationFault, MAX_SELECTED};
pub use copies::{Copies, LastGood, OlderVersion};
pub use deadline::{Deadline, Overdue};
pub use deliverable::{Deliveries, NotDeliverable};
pub use digest::Digest;
pub use image_program::ImageProgram;
pub(crate) use image_program::{DIGEST_PREFIX, MAX_REFERENCE, REFERENCE, is_version, version_directory};
pub(crate) use last_good::{is_gone, is_not_answered};
pub use load::{Format, LoadedSpec};
pub use loads::Loads;
pub use merge::DEFAULT_PATH;
pub use select_error::SelectError;
pub use selection_fault::SelectionFault;
pub use selector::{Selected, Selector};
pub use subject::Subject;
pub use unused::{Unknown, Unused, specs_in};
