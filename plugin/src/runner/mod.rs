//! Executes one stage of one container: the only code that ever runs a hook.
//!
//! It is a process of its own (`nri-oci-hooks stage STAGE`), started by the OCI runtime or by the daemon.
//! Each hook is started by a supervisor, a forked child of the runner, to which all processes of the hook
//! belong. So the hook can be killed as a whole, and stays bounded and on record when the runner itself is
//! killed.
#![forbid(unsafe_code)]

mod call;
mod capture;
mod container;
mod gate;
mod guard;
mod holder;
mod hook;
mod list;
mod main;
mod message;
mod needed;
mod plan;
mod repeated;
mod stages;
mod state;
mod supervisor;

#[cfg(test)]
mod tests;

use crate::process::stat;

pub use call::COMMAND;
pub(crate) use call::{Call, NAME};
pub use main::main;
pub(crate) use message::failures;
pub(crate) use needed::needs_program;
pub(crate) use state::State;
