//! The plan of a soak.

use crate::{Delivery, Runtime};

/// The plan of a soak.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many containers live.
    pub lifecycles: usize,
    /// How many of them at a time.
    pub at_once: usize,
    /// The source of all choices.
    pub seed: u64,
    /// On what.
    pub runtime: Runtime,
    /// How hooks are delivered.
    pub delivery: Delivery,
}
