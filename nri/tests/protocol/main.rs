//! The protocol suite: the fake runtime by the rules of the real ones, and this crate's plugins under its hands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what clippy.toml allows in test functions is right in their helpers too"
)]

mod answers;
mod blocked;
mod events;
mod examples;
mod failure_policy;
mod framing;
mod hostile;
mod logs;
mod plugins;
mod raw_plugin;
mod reconnect;
mod registration;
mod session;
mod synchronize;
mod updates;
