//! The judgement on one container that is over: what ran for it against what had to.

use std::collections::HashMap;

use anyhow::Result;

use super::Tally;
use super::life::{Life, Started};
use crate::Delivery;
use crate::hooks::Record;
use crate::ledger::{NodeLedger, Stage, StageRecord, StageResult};

/// The three stages in order.
const STAGES: [Stage; 3] = [Stage::Prestart, Stage::Poststart, Stage::Poststop];

/// What the ledger has of each stage of a container.
pub(super) type Account = [Option<StageRecord>; 3];

/// Reads the account of a container.
pub(super) fn account(ledger: &NodeLedger, container: &str) -> Result<Account> {
    Ok([
        ledger.record(container, Stage::Prestart)?,
        ledger.record(container, Stage::Poststart)?,
        ledger.record(container, Stage::Poststop)?,
    ])
}

/// How often each stage ran for each container, told by the hooks themselves.
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

/// Judges a container whose creation the runtime has confirmed.
///
/// Delivered by events alone, a prestart or poststart whose event came while no plugin was there is lost.
pub(super) fn judge(delivery: Delivery, life: &Life, account: &Account, runs: &Runs, tally: &mut Tally) {
    tally.lives += 1;
    tally.cut_off += usize::from(life.started == Started::Unknown);
    let results = account.each_ref().map(|record| record.as_ref()?.finished());
    let skipped = results.map(|result| matches!(result, Some(StageResult::Skipped { .. })));
    let ran = runs.of(&life.id);
    let [prestart, poststart, poststop] = ran;
    let mut fault = |is: bool, text: &str| {
        if is {
            tally
                .faults
                .push(format!("{text}: {ran:?}, {life:?}, {results:?}"));
        }
    };
    fault(ran.iter().any(|count| *count > 1), "a stage ran more than once");
    fault(prestart > poststop, "poststop is missing");
    fault(poststart > prestart, "poststart ran without prestart");
    fault(
        prestart < poststop && !(delivery == Delivery::Events && skipped[0]),
        "prestart is missing",
    );
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
            fault(
                prestart == 0 && delivery == Delivery::Runner,
                "it was started without its prestart",
            );
            fault(
                prestart > poststart && !skipped[1],
                "poststart is missing without a word",
            );
        }
        Started::Refused => {
            // With events, a start is refused too if it cannot be answered for in time.
            fault(
                prestart == 0 && delivery == Delivery::Runner,
                "it was refused, and not by its prestart",
            );
            fault(poststart > 0, "poststart ran although it was refused");
            tally.refused += 1;
        }
        Started::Unknown => {}
    }
    tally.prestart += prestart;
    tally.poststart += poststart;
    tally.poststart_skipped += usize::from(skipped[1] && life.started != Started::Refused);
    tally.poststop += poststop;
}

/// Judges a container of which only its hooks tell.
pub(super) fn judge_stranger(id: &str, runs: &Runs, tally: &mut Tally) {
    let ran = runs.of(id);
    if ran.iter().any(|count| *count > 1) || ran[0] != ran[2] {
        tally
            .faults
            .push(format!("a container that was never confirmed had {ran:?}: {id}"));
    }
}
