//! OCI hooks for every Kubernetes container, through NRI.
//!
//! Data flows one way: [`spec`] (what a hook-spec says) -> `trust` (may root run it?) ->
//! [`select`] (which hooks does this container get?) -> `ledger` (what it is owed and what it
//! got) -> `runner` (executing one stage). `plugin` and `cli` sit on top and hold no rules of
//! their own.

pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod select;
pub mod spec;
pub mod trust;
