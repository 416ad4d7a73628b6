//! OCI hooks for every Kubernetes container, through NRI.
//!
//! Data flows one way: `spec` (the content of a hook-spec) -> `trust` (may root run it?) -> `select` (which
//! hooks does this container get?) -> `ledger` (which are pending, and which have run?) -> `runner`
//! (executing one stage). `daemon` and `cli` are on top and have no rules of their own. `front` holds the
//! connection to the runtime, and `observe` reports about the daemon. `model` has the terms that all share.
//! `config`, `process` and `diagnostic` serve all of them. `host` and `pod` serve a daemon in a pod. `lint`,
//! `manifest`, `doctor`, `node` and `runtime` serve the commands that check files and examine or change a
//! node. `hack/check-modules` checks that order.

// They panic if the output has no reader; `cli::complain` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod bounded;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod diagnostic;
mod doctor;
pub mod front;
mod host;
pub mod ledger;
mod lint;
pub mod manifest;
pub mod model;
mod node;
pub mod observe;
mod pod;
pub mod process;
pub mod runner;
mod runtime;
pub mod select;
mod shared;
pub mod spec;
pub mod system;
mod trust;
mod write;
