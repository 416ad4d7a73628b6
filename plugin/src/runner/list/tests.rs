//! Lists of hooks with any end, and of runners that die in between: on a real ledger, without processes.

use std::io;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::ledger::{Claimed, Trigger};
use crate::runner::tests::{Fixture, SUCCESS, failures, hook};

/// The end of a hook.
#[derive(Debug, Clone)]
enum Fate {
    /// Its supervisor records this outcome, and its runner goes on.
    Ends(Outcome),
    /// Its supervisor records this outcome; its runner has died.
    EndsAlone(Outcome),
    /// Its runner and its supervisor die.
    Dies,
}

impl Fate {
    fn outcome(&self) -> &Outcome {
        match self {
            Fate::Ends(outcome) | Fate::EndsAlone(outcome) => outcome,
            Fate::Dies => &Outcome::Interrupted,
        }
    }
}

/// The end of a list.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// The hooks that were executed, in order.
    executed: Vec<usize>,
    outcomes: Vec<Outcome>,
    has_failed: bool,
}

/// Runs the list of `stage` with as many runners as it needs. Each hook is given whether it may fail, and its fate.
fn run_list(stage: Stage, list: &[(bool, Fate)]) -> End {
    let hooks: Vec<_> = list.iter().map(|(may_fail, _)| hook(*may_fail)).collect();
    let fixture = Fixture::new([(stage, hooks.clone())]);
    let files = fixture.files();
    let header = files.header().unwrap();
    let mut executed = Vec::new();
    let result = loop {
        let claim = match files.claim(stage, Trigger::Oci).unwrap() {
            Claimed::Ours(claim) => claim,
            Claimed::Over(result) => break result,
        };
        // Fails with the runner's death: then the next one continues.
        let _ = run_by(&header, stage, &hooks, claim, |claim, index, hook| {
            let record = files.record(stage).unwrap().unwrap();
            assert_eq!(record.open(), Some(index), "it is on record before it runs");
            assert_eq!(hook, &hooks[index]);
            assert!(!executed.contains(&index), "it runs once");
            executed.push(index);
            let fate = &list[index].1;
            if let Fate::Ends(outcome) | Fate::EndsAlone(outcome) = fate {
                claim.ended(index, outcome.clone(), Output::default(), Output::default())?;
            }
            match fate {
                Fate::Ends(_) => Ok(()),
                _ => Err(LedgerError::io("write", "record")(
                    io::ErrorKind::BrokenPipe.into(),
                )),
            }
        });
    };
    let record = files.record(stage).unwrap().unwrap();
    let ends = record.runs().into_iter().map(|run| run.ended.unwrap());
    End {
        executed,
        outcomes: ends.map(|end| end.outcome.clone()).collect(),
        has_failed: match result {
            StageResult::Done => false,
            StageResult::Failed { .. } => true,
            StageResult::Skipped { .. } => panic!("{result:?}"),
        },
    }
}

/// The end that the list of `stage` must have.
fn expected(stage: Stage, list: &[(bool, Fate)]) -> End {
    let is_failure = |(may_fail, fate): &(bool, Fate)| *fate.outcome() != SUCCESS && !may_fail;
    let first_failure = match stage {
        Stage::Prestart | Stage::CreateRuntime => list.iter().position(is_failure),
        _ => None,
    };
    let count = first_failure.map_or(list.len(), |index| index + 1);
    End {
        executed: (0..count).collect(),
        outcomes: list[..count]
            .iter()
            .map(|(_, fate)| fate.outcome().clone())
            .collect(),
        has_failed: first_failure.is_some(),
    }
}

fn fates() -> Vec<Fate> {
    let outcomes = failures().into_iter().chain([SUCCESS]);
    let fates = outcomes.flat_map(|outcome| [Fate::Ends(outcome.clone()), Fate::EndsAlone(outcome)]);
    fates.chain([Fate::Dies]).collect()
}

#[test]
fn a_failure_ends_a_stage_before_the_start_and_no_other_unless_it_is_ignored() {
    for stage in Stage::OF_RUNNER {
        for fate in fates() {
            for may_fail in [false, true] {
                let mut list = vec![(false, Fate::Ends(SUCCESS)); 3];
                list[1] = (may_fail, fate.clone());
                assert_eq!(
                    run_list(stage, &list),
                    expected(stage, &list),
                    "{stage}: {list:?}"
                );
            }
        }
    }
}

#[test]
fn an_empty_list_is_done() {
    for stage in Stage::OF_RUNNER {
        assert_eq!(run_list(stage, &[]), expected(stage, &[]));
    }
}

#[test]
fn a_failed_stage_has_the_message_about_the_hook_that_failed() {
    let fixture = Fixture::new([(Stage::Prestart, vec![hook(false); 3])]);
    let header = fixture.files().header().unwrap();
    let mut messages = Vec::new();
    for outcome in failures() {
        let fixture = Fixture::new([(Stage::Prestart, vec![hook(false); 3])]);
        fixture.ran(Stage::Prestart, &[SUCCESS, outcome]);
        let claim = fixture.claim(Stage::Prestart);
        match next(&header, Stage::Prestart, &[], claim.record()) {
            Next::Over(StageResult::Failed { message }) => messages.push(message),
            next => panic!("{next:?}"),
        }
    }
    insta::assert_snapshot!("failures", messages.join("\n"));
}

fn fate() -> impl Strategy<Value = Fate> {
    // Most hooks succeed, so that lists before the start are long.
    prop_oneof![
        4 => Just(Fate::Ends(SUCCESS)),
        2 => Just(Fate::EndsAlone(SUCCESS)),
        1 => select(fates()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn each_hook_runs_at_most_once_and_in_order_after_any_death(
        stage in select(Stage::OF_RUNNER.to_vec()),
        list in prop::collection::vec((any::<bool>(), fate()), 0..8),
    ) {
        prop_assert_eq!(run_list(stage, &list), expected(stage, &list));
    }
}
