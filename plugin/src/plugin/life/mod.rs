//! A container's life after its creation: which events of NRI start a runner, what they wait for,
//! and what is pending from before they came.
//!
//! Everything is decided from the ledger; nothing is remembered between two events.

mod bundle;
mod containers;
mod end;
mod handlers;
mod own_thread;
mod reconcile;
mod runners;
mod starting;
mod stopping;

pub(super) use containers::{Containers, RegisterError};
pub use runners::RunnerProgram;
