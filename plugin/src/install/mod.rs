//! Putting the daemon in place on a node, and taking it away.

mod backup;
mod containerd_file;
mod drop_in;
mod error;
mod layout;
mod need;
mod ours;
mod plan;
mod put;
mod step;
mod take;
mod unit;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use backup::back_up;
pub use error::InstallError;
pub use layout::{PROGRAM, Target, Way};
#[cfg(test)]
pub(crate) use ours::program;
pub use plan::Plan;
pub use put::install;
pub use step::Step;
pub use take::uninstall;
pub(crate) use write::{is_put, put};
