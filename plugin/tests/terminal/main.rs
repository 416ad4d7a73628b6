//! The commands as processes, at a terminal and without one: what others wrote is not obeyed, and who does not listen
//! does no harm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what clippy.toml allows in test functions is right in their helpers too"
)]

mod escapes;
mod nobody_listens;
mod node;
mod strays;
