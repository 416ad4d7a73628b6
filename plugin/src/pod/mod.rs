//! The files that a daemon in a pod brings to its host: its program, to run hooks, and the files of a
//! ConfigMap.
#![forbid(unsafe_code)]

mod check;
mod error;
mod host_unit;
mod images;
mod mirror;
mod ownership;
mod program;
mod refused;
mod required;
mod systemd;
mod temporary_daemon;
mod unit_error;
mod version;

pub(crate) use error::PodError;
pub(crate) use host_unit::{HostUnit, Needed};
pub(crate) use images::{HOOKS, HookImages, IMAGES, Needs, hand_over_files, hand_over_program};
pub(crate) use mirror::{Mirror, Refreshed};
pub(crate) use program::Program;
pub(crate) use refused::{refused_in, report_images};
pub(crate) use required::{Required, require};
pub(crate) use temporary_daemon::TemporaryDaemon;
pub(crate) use unit_error::UnitError;

#[cfg(test)]
mod tests;
