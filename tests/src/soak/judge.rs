//! The judgement on one container that is over: what ran for it against what had to.

use std::collections::HashMap;

use anyhow::Result;

use super::Tally;
use super::life::{Life, Started};
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
pub(super) fn judge(life: &Life, account: &Account, runs: &Runs, tally: &mut Tally) {
    tally.lives += 1;
    tally.cut_off += life.cut_off;
    let ran = runs.of(&life.id);
    let mut fault = |is: bool, text: &str| {
        if is {
            let told = account
                .each_ref()
                .map(|record| record.as_ref().and_then(StageRecord::finished));
            tally.faults.push(format!("{text}: {ran:?}, {life:?}, {told:?}"));
        }
    };
    let [prestart, poststart, poststop] = ran;
    fault(ran.iter().any(|count| *count > 1), "a stage ran more than once");
    fault(
        prestart != poststop,
        "prestart and poststop do not belong together",
    );
    fault(poststart > prestart, "poststart ran without prestart");
    let skipped = matches!(
        account[1].as_ref().and_then(StageRecord::finished),
        Some(StageResult::Skipped { .. })
    );
    if !life.has_hooks {
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
            fault(prestart != 1, "a container was started without its prestart");
            fault(poststart == 0 && !skipped, "poststart is missing without a word");
        }
        Started::Refused => {
            fault(prestart != 1, "a container was refused without a prestart");
            fault(poststart != 0, "poststart ran for a container that was refused");
            tally.refused += 1;
        }
        Started::Unknown => {}
    }
    tally.prestart += prestart;
    tally.poststart += poststart;
    tally.poststart_skipped += usize::from(skipped);
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
