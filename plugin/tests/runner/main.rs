//! The runner as a process: real hooks, a real ledger, no container.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs)]

mod bounds;
mod environment;
mod fallback;
mod fixture;
mod gate;
mod groups;
mod guard;
mod interrupted;
mod order;
mod refusals;
mod repeated;
mod stuck;
