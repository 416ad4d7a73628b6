//! What a soak is to be.

use crate::{Delivery, Runtime};

/// What a soak is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many containers live.
    pub lifecycles: usize,
    /// How many of them at a time.
    pub at_once: usize,
    /// What all choices come from.
    pub seed: u64,
    /// On what.
    pub runtime: Runtime,
    /// How hooks are delivered.
    pub delivery: Delivery,
}
