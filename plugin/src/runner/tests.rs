//! A container in a private ledger for the unit tests of the runner. Its hooks never run.

use super::container::Container;
use super::state::State;
use crate::ledger::{Claim, Claimed, Created, EntryDirectory, Identity, Ledger, Outcome, Output, Trigger};
use crate::model::{OnFailure, ResolvedHook, ResolvedHooks, Stage};

/// A private ledger with one container.
pub(super) struct Fixture {
    _directory: tempfile::TempDir,
    pub(super) ledger: Ledger,
}

impl Fixture {
    pub(super) fn new(stages: impl IntoIterator<Item = (Stage, Vec<ResolvedHook>)>) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&directory.path().join("state")).unwrap();
        let resolved = ResolvedHooks {
            stages: stages.into_iter().collect(),
        };
        ledger
            .add(Identity::for_test("c1", "web"), &resolved, true)
            .unwrap();
        Fixture {
            _directory: directory,
            ledger,
        }
    }

    pub(super) fn files(&self) -> EntryDirectory {
        self.ledger.find(&"c1".parse().unwrap()).unwrap().unwrap()
    }

    /// The container of a runner with the trigger `by`, without an init.
    pub(super) fn container(&self, by: Trigger) -> Container {
        let state = State::new("c1".parse().unwrap(), "stopped", &Created::default());
        Container::new(self.files(), state, by, false).unwrap()
    }

    /// The claim on `stage`, which no process holds.
    pub(super) fn claim(&self, stage: Stage) -> Claim {
        match self.files().claim(stage, Trigger::Oci).unwrap() {
            Claimed::Ours(claim) => claim,
            Claimed::Over(result) => panic!("{result:?}"),
        }
    }

    /// Records that the first hooks of `stage` have run, with these outcomes, and their runner has died.
    pub(super) fn ran(&self, stage: Stage, outcomes: &[Outcome]) {
        let mut claim = self.claim(stage);
        for (index, outcome) in outcomes.iter().enumerate() {
            claim.began(index, &hook(false)).unwrap();
            claim
                .ended(index, outcome.clone(), Output::default(), Output::default())
                .unwrap();
        }
    }
}

/// A hook that `may_fail`.
pub(super) fn hook(may_fail: bool) -> ResolvedHook {
    ResolvedHook {
        on_failure: match may_fail {
            true => OnFailure::Ignore,
            false => OnFailure::Fail,
        },
        ..ResolvedHook::for_test("/bin/hook")
    }
}

pub(super) const SUCCESS: Outcome = Outcome::Exited { status: 0 };

/// Every way in which a hook fails.
pub(super) fn failures() -> Vec<Outcome> {
    vec![
        Outcome::Exited { status: 3 },
        Outcome::Killed { signal: 9 },
        Outcome::TimedOut { seconds: 1, left: 0 },
        Outcome::TimedOut { seconds: 1, left: 2 },
        Outcome::OutOfMemory { memory: 1 << 20 },
        Outcome::ProcessLimit {
            processes: 5,
            end: Box::new(SUCCESS),
        },
        Outcome::Refused {
            reason: "its mode is 0757".into(),
        },
        Outcome::NotExecuted {
            reason: "Exec format error".into(),
        },
        Outcome::Interrupted,
    ]
}
