//! The documents: what they say the program takes, says and does is what it takes, says and does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what clippy.toml allows in test functions is right in their helpers too"
)]

mod blocks;
mod commands;
mod console;
mod examples;
mod executed;
mod generated;
mod links;
mod reference;
