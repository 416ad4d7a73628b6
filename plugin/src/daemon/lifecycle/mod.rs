//! A container's life after its creation: the NRI events that start a runner, their waiting, and stages that
//! are pending from before.
//!
//! All decisions are made from the ledger. Between two events only two things are remembered: the watched
//! inits, and the containers that are still being created.

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
