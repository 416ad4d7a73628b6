//! The deadline of a selection: a runtime continues without a plugin that does not answer in time.

use std::time::Instant;

use thiserror::Error;

/// The deadline of a selection.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

/// The answer is due, and the selection is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("takes longer than the runtime waits for its answer")]
pub struct Overdue;

impl Deadline {
    /// A deadline at `time`.
    pub(crate) fn at(time: Instant) -> Deadline {
        Deadline(Some(time))
    }

    /// No deadline: no runtime waits.
    pub fn none() -> Deadline {
        Deadline(None)
    }

    /// Fails if it has passed. Called before each piece of work whose amount a pod decides.
    pub(super) fn check(self) -> Result<(), Overdue> {
        match self.0 {
            Some(time) if Instant::now() >= time => Err(Overdue),
            _ => Ok(()),
        }
    }
}
