//! The files that a daemon in a pod brings to its host: its program, to run hooks, and the files of a
//! ConfigMap.
#![forbid(unsafe_code)]

mod check;
mod error;
mod host_unit;
mod images;
mod mirror;
mod program;
mod refused;
mod required;
mod stand_in;
mod systemd;
mod unit_error;
mod version;

pub use error::PodError;
pub use host_unit::{HostUnit, Needed};
pub use images::{HOOKS, HookImages, IMAGES, ImageError, Needs, hand_over_files, hand_over_program};
pub use mirror::{Kept, Mirror};
pub use program::Program;
pub use refused::{refused_in, report_images};
pub use required::{Required, require};
pub use stand_in::StandIn;
pub use unit_error::UnitError;

#[cfg(test)]
mod tests;
