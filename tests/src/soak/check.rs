//! The check of one container that is over: the hooks that ran for it against those that had to.

use std::collections::HashMap;

use anyhow::Result;

use super::Tally;
use super::life::{Life, Started};
use crate::Delivery;
use crate::hooks::Record;
use crate::ledger::{NodeLedger, Outcome, Stage, StageRecord, StageResult};

/// The three stages in order.
const STAGES: [Stage; 3] = [Stage::Prestart, Stage::Poststart, Stage::Poststop];

/// The records of each stage of a container in the ledger.
pub(super) type Account = [Option<StageRecord>; 3];

/// Reads the account of a container.
pub(super) fn account(ledger: &NodeLedger, container: &str) -> Result<Account> {
    Ok([
        ledger.record(container, Stage::Prestart)?,
        ledger.record(container, Stage::Poststart)?,
        ledger.record(container, Stage::Poststop)?,
    ])
}

/// How often each stage ran for each container, by the hooks' own records.
#[derive(Debug, Default)]
pub(super) struct Runs(HashMap<String, [usize; 3]>);

impl Runs {
    pub(super) fn count(records: &[Record]) -> Runs {
        let mut runs = Runs::default();
        for record in records {
            let id = record.state["id"].as_str().unwrap_or_default().to_owned();
            let counts = runs.0.entry(id).or_default();
            for (stage, count) in STAGES.iter().zip(counts) {
                *count += usize::from(record.program == stage.key());
            }
        }
        runs
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn of(&self, container: &str) -> [usize; 3] {
        self.0.get(container).copied().unwrap_or_default()
    }
}

/// Checks a container whose creation the runtime has confirmed.
///
/// Delivered by events alone, a prestart or poststart whose event came while no plugin was there is lost. A stage that
/// does not run because its runner was killed is on record as that, and is counted.
pub(super) fn check(delivery: Delivery, life: &Life, account: &Account, runs: &Runs, tally: &mut Tally) {
    tally.lives += 1;
    tally.cut_off += usize::from(life.started == Started::Unknown);
    let results = account.each_ref().map(|record| record.as_ref()?.finished());
    let skipped = results.map(|result| matches!(result, Some(StageResult::Skipped { .. })));
    let failed = matches!(results[0], Some(StageResult::Failed { .. }));
    let interrupted = account
        .each_ref()
        .map(|record| record.as_ref().is_some_and(was_interrupted));
    let is_runner = delivery == Delivery::Runner;
    let ran = runs.of(&life.id);
    let [prestart, poststart, poststop] = ran;
    let mut cost = false;
    let mut fault = |is: bool, text: &str| {
        if is {
            tally
                .faults
                .push(format!("{text}: {ran:?}, {life:?}, {results:?}"));
        }
    };
    fault(ran.iter().any(|count| *count > 1), "a stage ran more than once");
    cost |= prestart > poststop && interrupted[2];
    fault(prestart > poststop && !interrupted[2], "poststop is missing");
    fault(
        poststart > prestart && !interrupted[0],
        "poststart ran without prestart",
    );
    let is_on_record = interrupted[0] || skipped[0] || failed;
    cost |= prestart < poststop && is_on_record && (is_runner || !skipped[0]);
    fault(prestart < poststop && !is_on_record, "prestart is missing");
    let has_hooks = match delivery {
        Delivery::Events => life.has_entry,
        _ => life.has_hooks,
    };
    if !has_hooks {
        fault(
            ran != [0; 3] && !life.has_entry,
            "hooks ran for a container without",
        );
        tally.without_hooks += 1;
        return;
    }
    match life.started {
        Started::No => {
            fault(ran != [0; 3], "hooks ran for a container that was never started");
            tally.never_started += 1;
        }
        Started::Yes => {
            fault(prestart == 0 && is_runner, "it was started without its prestart");
            cost |= prestart > poststart && interrupted[1];
            fault(
                prestart > poststart && !skipped[1] && !interrupted[1],
                "poststart is missing without a word",
            );
        }
        // With events, a start is refused too if it cannot be answered for in time.
        Started::Refused => {
            let is_refused_by_prestart = life.is_refused && prestart > 0 && poststart == 0;
            cost |= is_runner && !is_refused_by_prestart;
            tally.refused += 1;
        }
        Started::Unknown => {}
    }
    tally.cost_by_kills += usize::from(cost);
    tally.prestart += prestart;
    tally.poststart += poststart;
    tally.poststart_skipped += usize::from(skipped[1] && life.started != Started::Refused);
    tally.poststop += poststop;
}

/// Whether the first hook of a stage, which records its run, is one that began when its runner died.
fn was_interrupted(record: &StageRecord) -> bool {
    let runs = record.runs();
    let end = runs.first().and_then(|run| run.ended);
    end.is_some_and(|end| *end.outcome == Outcome::Interrupted)
}

/// Checks a container that is known only from the records of its hooks.
pub(super) fn check_stranger(id: &str, runs: &Runs, tally: &mut Tally) {
    let ran = runs.of(id);
    if ran.iter().any(|count| *count > 1) || ran[0] > ran[2] {
        tally
            .faults
            .push(format!("a container that was never confirmed had {ran:?}: {id}"));
    }
    tally.cost_by_kills += usize::from(ran[0] < ran[2]);
}
