//! Putting the daemon in place on a node, and taking it away.

mod containerd_file;
mod error;
mod layout;
mod plan;
mod put;
mod step;
mod take;
mod write;

#[cfg(test)]
mod tests;

pub use error::InstallError;
pub use layout::{PROGRAM, Target, Way};
pub use plan::Plan;
pub use put::install;
pub use step::Step;
pub use take::uninstall;
pub(crate) use write::{back_up, is_put, put};
