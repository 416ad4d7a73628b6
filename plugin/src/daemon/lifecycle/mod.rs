//! A container's life after its creation: which events of NRI start a runner, what they wait for,
//! and what is pending from before they came.
//!
//! Everything is decided from the ledger. Nothing is remembered between two events but which inits are watched, and
//! which containers are still being created.

mod bundle;
mod containers;
mod creating;
mod end;
mod handlers;
mod own_thread;
mod reconcile;
mod runners;
mod starting;
mod stopping;

pub(super) use containers::{Containers, RegisterError};
pub use runners::RunnerProgram;
pub(super) use starting::end_init;
