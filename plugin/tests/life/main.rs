//! The life of a container: which stage runs when, even if a process dies in between. The test plays the runtime and
//! the OCI runtime; daemon, runners, ledger, hooks and inits are real.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod front;
mod missed;
mod node;
mod orders;
mod presence;
mod random;
