//! Hearing from runners that a stage is over: events that wait for it go on, it is counted, and what
//! failed is logged.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::panicking;
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

use super::Observer;
use crate::ledger::{EntryFolder, Header, Ledger, LedgerError, Line, Record, Rung, StageResult, Trigger};
use crate::runner::failures;
use crate::spec::Stage;

/// How long what has rung first is not looked into. When a stage is over, its container's start or stop
/// goes on, which needs the processors more than the counting does.
const LATER: Duration = Duration::from_millis(50);

/// Hears what rings in `ledger` until it is dropped.
///
/// # Errors
/// The socket cannot be made.
pub(super) async fn hear(ledger: Ledger, observer: Arc<Observer>) -> io::Result<()> {
    let socket = UnixDatagram::from_std(ledger.bell()?)?;
    let mut message = [0; Rung::MAX_SIZE];
    let mut heard = Heard {
        ledger,
        observer,
        rungs: VecDeque::new(),
    };
    let mut due = Instant::now();
    loop {
        tokio::select! {
            length = socket.recv(&mut message) => {
                if heard.rungs.is_empty() {
                    due = Instant::now() + LATER;
                }
                // None of a later release, perhaps.
                let rung = Rung::parse(&message[..length?]);
                if let Some(rung) = &rung {
                    let plugin = heard.observer.plugin();
                    match &rung.trouble {
                        None => plugin.reported(&rung.id),
                        Some(trouble) => plugin.cannot_record(&rung.id, rung.stage, trouble),
                    }
                }
                heard.rungs.extend(rung.filter(|rung| rung.trouble.is_none()));
            }
            () = sleep_until(due), if !heard.rungs.is_empty() => {
                // Events come first, before each of them.
                tokio::task::yield_now().await;
                heard.take_in_next();
            }
        }
    }
}

/// What has rung and was not looked into yet; that is made up for when this is dropped.
pub(super) struct Heard {
    pub(super) ledger: Ledger,
    pub(super) observer: Arc<Observer>,
    pub(super) rungs: VecDeque<Rung>,
}

impl Heard {
    /// Takes in what has rung first. Returns whether anything had.
    fn take_in_next(&mut self) -> bool {
        let Some(rung) = self.rungs.pop_front() else {
            return false;
        };
        if let Err(error) = take(&self.ledger, &rung, &self.observer) {
            tracing::warn!(id = %rung.id, stage = %rung.stage, %error, "how a stage ended cannot be told");
        }
        true
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        // A second panic would end the daemon, and containers were created without hooks.
        while !panicking() && self.take_in_next() {}
    }
}

fn take(ledger: &Ledger, rung: &Rung, observer: &Observer) -> Result<(), LedgerError> {
    let Some(folder) = folder(ledger, rung)? else {
        return Ok(());
    };
    let Some(record) = folder.record(rung.stage)? else {
        return Ok(());
    };
    let header = folder.header()?;
    for run in record.runs() {
        if let Some(end) = run.ended {
            observer.ran(rung.stage, end.outcome, end.at.since(run.began));
        }
    }
    if let Some(result) = record.finished() {
        observer.over(rung.stage, result, record.late().count());
        tell(&header, rung.stage, &record, result, observer);
    }
    Ok(())
}

/// The container's files, which may have gone to the past meanwhile.
fn folder(ledger: &Ledger, rung: &Rung) -> Result<Option<EntryFolder>, LedgerError> {
    match ledger.find(&rung.id)? {
        None => ledger.find_past(&rung.id),
        found => Ok(found),
    }
}

/// Logs what failed. What a runner told that the daemon had started is logged there already.
fn tell(header: &Header, stage: Stage, record: &Record, result: &StageResult, observer: &Observer) {
    let mut told = failures(header, stage, record);
    if let StageResult::Skipped { reason } = result {
        told.push(format!("{stage} hooks were skipped: {reason}"));
    }
    if let Some(last) = told.last() {
        observer.failed(last);
    }
    let by = started_by(record).unwrap_or(Trigger::Oci);
    let identity = &header.identity;
    let (namespace, pod) = (&*identity.namespace, &*identity.pod);
    let (container, id) = (&*identity.container, identity.id.as_str());
    let _about = tracing::error_span!("container", namespace, pod, container, id).entered();
    for failure in told {
        tracing::warn!(%stage, by = %by, "{failure}");
    }
}

/// What started the runner that ended the stage.
fn started_by(record: &Record) -> Option<Trigger> {
    record.lines.iter().rev().find_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    })
}
