//! How much work a container's selection may take: its pod's author has a say in it, and a runtime
//! goes on without a plugin that does not answer in time.

use std::time::Instant;

use thiserror::Error;

/// How many steps one selection may take: a second of them where they are slow.
const MOST_STEPS: u64 = 32_000_000;

/// How many steps a single match may take.
const MOST_AT_ONCE: u64 = 1_000_000;

/// How many steps are taken without a look at the clock: about a millisecond of them.
const STEPS_BETWEEN_LOOKS: u64 = 50_000;

/// The work that is left to one selection. A step is one state of a pattern looked at for one
/// character of a text, or what takes no longer: some 20 ns.
#[derive(Debug)]
pub struct Budget {
    steps: u64,
    deadline: Option<Instant>,
    since_look: u64,
}

/// Why a selection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Overspent {
    /// All that it may take is done.
    #[error("takes more than {MOST_STEPS} steps")]
    Steps,
    /// The answer is due.
    #[error("takes longer than there is until the runtime must have its answer")]
    Time,
    /// One match would take too many.
    #[error("takes {0} steps for a single pattern and text, of which {MOST_AT_ONCE} are allowed")]
    AtOnce(u64),
}

impl Budget {
    /// That of a selection which must be done by `deadline`.
    pub fn until(deadline: Instant) -> Budget {
        Budget {
            deadline: Some(deadline),
            ..Budget::unhurried()
        }
    }

    /// That of a selection which nobody waits for with a clock in hand.
    pub fn unhurried() -> Budget {
        Budget {
            steps: MOST_STEPS,
            deadline: None,
            // The first look is before the first step.
            since_look: STEPS_BETWEEN_LOOKS,
        }
    }

    /// As [`Budget::spend`], on a single match, which nothing ends once it has begun.
    pub(super) fn spend_at_once(&mut self, steps: u64) -> Result<(), Overspent> {
        if steps > MOST_AT_ONCE {
            return Err(Overspent::AtOnce(steps));
        }
        self.spend(steps)
    }

    /// Takes so many steps off, before they are taken; fails if that is more than there are.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Overspent> {
        self.steps = self.steps.checked_sub(steps).ok_or(Overspent::Steps)?;
        self.since_look += steps;
        if self.since_look > STEPS_BETWEEN_LOOKS {
            self.since_look = 0;
            let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            return if is_late { Err(Overspent::Time) } else { Ok(()) };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_steps_are_taken_than_allowed_be_there_time_or_not() {
        let mut budget = Budget::unhurried();
        for _ in 0..MOST_STEPS / MOST_AT_ONCE {
            budget.spend_at_once(MOST_AT_ONCE).unwrap();
        }
        assert_eq!(budget.spend(1), Err(Overspent::Steps));
        let mut budget = Budget::unhurried();
        assert_eq!(
            budget.spend_at_once(MOST_AT_ONCE + 1),
            Err(Overspent::AtOnce(1_000_001))
        );
    }

    #[test]
    fn no_step_is_taken_when_the_answer_is_due() {
        let mut budget = Budget::until(Instant::now());
        assert_eq!(budget.spend(1), Err(Overspent::Time));
    }
}
