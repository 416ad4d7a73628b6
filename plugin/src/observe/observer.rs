//! What is known of the daemon at any moment, for whoever asks.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_nri::RuntimeInfo;

use super::logs::dropped_lines;
use super::metrics::{EventResult, Gauges, Metrics};
use super::service_manager;
use super::status::{Connection, InForceFile, LastError, Status};
use crate::diagnostic::shown;
use crate::ledger::{Ledger, Moment, Outcome, StageResult};
use crate::plugin::{Inspection, OciHooks};
use crate::spec::Stage;

/// What is known of the daemon.
#[derive(Debug)]
pub struct Observer {
    plugin: Arc<OciHooks>,
    since: Moment,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    last_error: Option<LastError>,
}

impl Observer {
    /// An observer of `plugin`, which is not connected.
    pub fn new(plugin: Arc<OciHooks>) -> Observer {
        Observer {
            plugin,
            since: Moment::now(),
            metrics: Metrics::new(),
            state: Mutex::new(State {
                connection: Connection::default(),
                last_error: None,
            }),
        }
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<OciHooks> {
        &self.plugin
    }

    pub(super) fn configured(&self, runtime: &RuntimeInfo) {
        self.metrics.connected();
        self.state().connection = Connection::to(runtime);
    }

    pub(super) fn synchronized(&self) {
        let mut state = self.state();
        state.connection.synchronized = true;
        let runtime = state.connection.runtime.clone().unwrap_or_default();
        drop(state);
        service_manager::ready(&shown(&runtime).to_string());
    }

    pub(super) fn disconnected(&self, reason: &dyn fmt::Display) {
        self.metrics.disconnected();
        self.state().connection = Connection::lost(reason);
        self.failed(&format!("disconnected: {reason}"));
        service_manager::disconnected(&reason.to_string());
    }

    pub(super) fn handled(&self, event: &'static str, result: EventResult, took: Duration) {
        self.metrics.handled(event, result, took);
    }

    pub(super) fn ran(&self, stage: Stage, outcome: &Outcome, took: Duration) {
        self.metrics.ran(stage, outcome, took);
    }

    pub(super) fn over(&self, stage: Stage, result: &StageResult, late: usize) {
        self.metrics.over(stage, result, late);
    }

    /// Something went wrong; the last such thing is told to whoever asks.
    pub(super) fn failed(&self, what: &str) {
        self.state().last_error = Some(LastError {
            at: Moment::now(),
            text: what.to_owned(),
        });
    }

    /// All there is to say.
    pub fn status(&self) -> Status {
        let inspection = self.plugin.inspect();
        let state = self.state();
        let in_force = inspection
            .in_force
            .iter()
            .map(|(origin, spec)| InForceFile::new(origin, spec));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: self.since,
            not_ready: not_ready(&state.connection, &inspection),
            connection: state.connection.clone(),
            configured_by: inspection.configured_by.clone(),
            delivery: inspection.config.delivery.to_string(),
            state_dir: inspection.config.state_dir.to_string(),
            no_ledger: inspection
                .ledger
                .as_ref()
                .and_then(|ledger| ledger.as_ref().err().cloned()),
            in_force: in_force.collect(),
            mistakes: inspection.mistakes.iter().map(ToString::to_string).collect(),
            last_error: state.last_error.clone(),
        }
    }

    /// Why the daemon is not ready; empty if it is.
    pub(super) fn not_ready(&self) -> Vec<String> {
        let inspection = self.plugin.inspect();
        not_ready(&self.state().connection, &inspection)
    }

    /// What the metrics are called, as whoever scrapes them sees it.
    pub fn metric_names() -> BTreeSet<String> {
        let text = Metrics::new().text(&Gauges::default());
        let types = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let ending = |kind: &str| match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        types
            .map(|(name, kind)| format!("{name}{}", ending(kind)))
            .collect()
    }

    /// The metrics as text.
    pub(super) fn metrics(&self) -> String {
        let inspection = self.plugin.inspect();
        let connection = self.state().connection.clone();
        let ledger = inspection.ledger.as_ref().and_then(|ledger| ledger.as_ref().ok());
        let count = |listed: fn(&Ledger) -> usize| ledger.map_or(0, listed);
        self.metrics.text(&Gauges {
            registered: connection.registered.is_some(),
            synchronized: connection.synchronized,
            ready: not_ready(&connection, &inspection).is_empty(),
            mistakes: inspection.mistakes.len(),
            in_force: inspection.in_force.len(),
            live_entries: count(|ledger| ledger.live().map_or(0, |ids| ids.len())),
            past_entries: count(Ledger::count_past),
            memory: resident_memory(),
            dropped_lines: dropped_lines(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registered, synchronized, and what is in force is what the files say.
fn not_ready(connection: &Connection, inspection: &Inspection) -> Vec<String> {
    let mut reasons = Vec::new();
    if connection.registered.is_none() {
        reasons.push("not registered with the runtime".to_owned());
    } else if !connection.synchronized {
        reasons.push("not synchronized with the runtime".to_owned());
    }
    if let (true, Some(Err(reason))) = (inspection.config.needs_ledger(), &inspection.ledger) {
        reasons.push(format!("no ledger: {reason}"));
    }
    reasons.extend(inspection.mistakes.iter().map(ToString::to_string));
    reasons
}

/// In bytes; 0 if the kernel does not say.
fn resident_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
