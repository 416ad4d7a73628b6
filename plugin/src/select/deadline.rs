//! Until when a selection must be done: a runtime goes on without a plugin that does not answer in time.

use std::time::Instant;

use thiserror::Error;

/// Until when a selection must be done.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

/// The answer is due, and the selection is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes longer than there is until the runtime must have its answer")]
pub struct Overdue;

impl Deadline {
    /// At this moment.
    pub fn at(moment: Instant) -> Deadline {
        Deadline(Some(moment))
    }

    /// None: nobody waits with a clock in hand.
    pub fn none() -> Deadline {
        Deadline(None)
    }

    /// Fails if it has passed. Called before each piece of work whose amount is a pod's to say.
    pub(super) fn check(self) -> Result<(), Overdue> {
        match self.0 {
            Some(moment) if Instant::now() >= moment => Err(Overdue),
            _ => Ok(()),
        }
    }
}
