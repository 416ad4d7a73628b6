//! OCI hooks for every Kubernetes container, through NRI.
//!
//! Data flows one way: [`spec`] (what a hook-spec says) -> [`trust`] (may root run it?) ->
//! [`select`] (which hooks does this container get?) -> [`ledger`] (which are pending, and which have
//! run?) -> [`runner`] (executing one stage). [`daemon`] and [`cli`] sit on top and hold no rules of
//! their own. [`model`] has the terms that all share. [`config`], [`process`] and [`diagnostic`] serve
//! all of them, [`host`] and [`pod`] a daemon that lives in a pod, and [`node`] and [`runtime`] the
//! commands that look at a node or change it. `hack/check-modules` keeps that order.

// They panic where nobody listens; `cli::complain` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod bounded;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod diagnostic;
pub mod doctor;
pub mod front;
pub mod host;
pub mod ledger;
pub mod lint;
pub mod manifest;
pub mod model;
pub mod node;
pub mod observe;
pub mod pod;
pub mod process;
pub mod runner;
pub mod runtime;
pub mod select;
mod shared;
pub mod spec;
pub mod system;
pub mod trust;
mod write;
