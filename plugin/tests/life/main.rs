//! The life of a container: which stage runs when, whoever dies in between. The runtime and the OCI
//! runtime are played by the test; daemon, runners, ledger, hooks and inits are real.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod front;
mod missed;
mod node;
mod orders;
mod presence;
mod random;
