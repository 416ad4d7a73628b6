//! A repeated start: the OCI runtime creates the same container again, with a new init.
//!
//! A runtime that crashed in the middle of a start requests it again. Stages belong to an init, not to a
//! container's id: the stages of the earlier init are ended, and those of the new one begin again.

use super::call::Call;
use super::container::Container;
use super::stages;
use super::state::State;
use crate::ledger::{EntryDirectory, Ledger, LedgerError, Line, Record, Trigger};
use crate::model::Stage;
use crate::process::process;

/// The records of the runner's init: those in `directory`, or new ones if these are of an earlier init. Then
/// the pending stages of the earlier init are run first, and its records archived.
///
/// # Errors
/// The ledger cannot be read or written.
pub(super) fn of_this_init(
    ledger: &Ledger,
    directory: EntryDirectory,
    state: &State,
    call: &Call,
) -> Result<EntryDirectory, LedgerError> {
    if !is_of_earlier_init(&directory, state, call)? {
        return Ok(directory);
    }
    // If there are several runners, one does it, and the others find it done.
    let _lock = ledger.lock(&state.id)?;
    let current = || ledger.find(&state.id);
    let Some(directory) = current()? else {
        return Ok(directory);
    };
    if !is_of_earlier_init(&directory, state, call)? {
        return Ok(directory);
    }
    let of_earlier_init = State {
        pid: None,
        ..state.clone()
    };
    let earlier = Container::new(directory, of_earlier_init, call.trigger, false)?;
    stages::run(&earlier, Stage::Poststop, call.trigger)?;
    ledger.archive_init(&state.id)?;
    Ok(current()?.unwrap_or(earlier.directory))
}

/// Whether the records in `directory` are of another init than the caller's.
fn is_of_earlier_init(directory: &EntryDirectory, state: &State, call: &Call) -> Result<bool, LedgerError> {
    let Some(created) = directory.created()? else {
        return Ok(false);
    };
    if call.stage == Stage::Poststop {
        // The state names no init: an OCI runtime that requests a second poststop has created a second init.
        let is_unnamed = created.process.is_none() && call.trigger == Trigger::Oci;
        return Ok(is_unnamed
            && directory
                .record(Stage::Poststop)?
                .is_some_and(|record| was_ended_by_oci(&record)));
    }
    let said = state.pid.filter(|pid| *pid > 0).and_then(process);
    Ok(match (created.process, said) {
        (Some(noted), Some(said)) => noted != said,
        _ => false,
    })
}

fn was_ended_by_oci(record: &Record) -> bool {
    let last = record.lines.iter().rev().find_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    });
    record.finished().is_some() && last == Some(Trigger::Oci)
}
