//! The fake runtime of the testkit beside the runtime side of NRI itself, at five versions: one plugin, which sends
//! what a case wants, must get the same from both and be treated alike. And the daemon on the real one.
//!
//! Where Go is missing there is none, which is reported.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what clippy.toml allows in test functions is right in their helpers too"
)]

mod daemon;
mod events;
mod failures;
mod handshake;
#[allow(dead_code, reason = "the protocol suite uses the rest of it")]
#[path = "../../../nri/tests/protocol/raw_plugin.rs"]
mod raw_plugin;
mod side;
mod synchronize;
