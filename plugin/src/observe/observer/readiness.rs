//! The reasons why the daemon is not ready, or degraded.

use std::collections::BTreeSet;

use super::State;
use crate::daemon::Inspection;
use crate::diagnostic::Diagnostic;
use crate::model::{Timestamp, bounded_list, escaped};
use crate::observe::status::Connection;
use crate::select::OlderVersion;

/// Registered, synchronized, a valid version of each file is active, and every file system answers.
pub(super) fn not_ready(state: &State, inspection: &Inspection) -> Vec<String> {
    let (mut reasons, connection) = (Vec::new(), &state.connection);
    if connection.registered.is_none() {
        reasons.push("not registered with the runtime".to_owned());
    } else if connection.is_stuck() {
        reasons.push(stuck(connection));
    } else if !connection.synchronized {
        reasons.push("not synchronized with the runtime".to_owned());
    }
    if !inspection.has_configuration && connection.registered.is_some() && inspection.errors.is_empty() {
        reasons.push("no configuration is active yet".to_owned());
    }
    if inspection.has_configuration && inspection.ledger.is_none() {
        reasons.push("the ledger is not open yet".to_owned());
    }
    reasons.extend(state.unanswered.iter().map(ToString::to_string));
    if let (true, Some(Err(reason))) = (inspection.config.needs_ledger(), &inspection.ledger) {
        reasons.push(format!("no ledger: {reason}"));
    }
    // If an earlier version of the file is active, containers get their hooks.
    let is_active = |error: &&Diagnostic| inspection.older.iter().any(|older| older.errors.contains(error));
    let errors = inspection.errors.iter().filter(|error| !is_active(error));
    reasons.extend(errors.map(ToString::to_string));
    reasons
}

/// The files of which an older version is active; empty if the content of every file is active.
pub(super) fn degraded(state: &State, inspection: &Inspection) -> Vec<String> {
    let of_one = |older: &OlderVersion| {
        format!(
            "{} has been invalid since {}, so its version of {} is active: {}",
            escaped(&older.file),
            older.since.to_the_millisecond(),
            older.taken.to_the_millisecond(),
            bounded_list(&older.errors)
        )
    };
    let of_host = inspection.older.iter().map(of_one);
    of_host.chain(state.refused.iter().cloned()).collect()
}

/// The hook-specs that are invalid and that pods may select.
pub(super) fn invalid_specs(inspection: &Inspection) -> BTreeSet<&str> {
    inspection
        .invalid_specs
        .iter()
        .map(|error| &*error.file)
        .collect()
}

/// The errors of files, with those that a pod brings.
pub(super) fn errors(state: &State, inspection: &Inspection) -> Vec<String> {
    let of_host = inspection.errors.iter().map(ToString::to_string);
    of_host.chain(state.refused.iter().cloned()).collect()
}

/// The message that the runtime has the plugin, and does not send its containers.
pub(super) fn stuck(connection: &Connection) -> String {
    let since = connection
        .registered
        .unwrap_or_else(Timestamp::now)
        .to_the_millisecond();
    format!(
        "registered since {since} and not synchronized: the runtime waits for the stop of a container, or is deadlocked; \
         no container of this node starts or stops meanwhile"
    )
}
