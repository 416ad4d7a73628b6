//! The current state of the daemon, for its reports.

mod readiness;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_nri::{FailurePolicy, RuntimeInfo};
use tokio::time::{sleep, timeout};

use super::background::BackgroundTask;
use super::logs::dropped_lines;
use super::metrics::{EventResult, Gauges, Metrics};
use super::service_manager;
use super::stalls::StallDetector;
use super::status::{ActiveFile, Connection, LastError, OnSilence, Status, UnansweredPath};
use crate::daemon::OciHooks;
use crate::front::{self, Link};
use crate::host::is_in_pod;
use crate::ledger::{Outcome, StageResult};
use crate::model::{Stage, Timestamp, bounded_list, escaped};
use crate::pod::refused_in;
use crate::trust::access::{Unanswered, Use};
use readiness::{degraded, errors, invalid_specs, not_ready, stuck};

/// The maximum time that a request for metrics waits for the figures of the ledger.
const GATHER_TIMEOUT: Duration = Duration::from_millis(250);

/// The interval between checks, at the end, whether all stages are counted.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The current state of the daemon.
#[derive(Debug)]
pub struct Observer {
    plugin: Arc<OciHooks>,
    since: Timestamp,
    metrics: Metrics,
    state: Mutex<State>,
    gathering: BackgroundTask,
    stalls: StallDetector,
    /// Determines whether the runtime creates no container without this plugin.
    is_required: fn() -> Option<bool>,
    /// The number of stages that are over and not counted yet.
    uncounted: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    connection: Connection,
    last_error: Option<LastError>,
    figures: Figures,
    /// Whether the runtime of this connection creates no container without this plugin, if that can be
    /// determined; `None` until it was checked.
    is_required: Option<Option<bool>>,
    unanswered: Vec<UnansweredPath>,
    /// The errors of refused files that a pod brings.
    refused: Vec<String>,
    /// The daemons that used the state directory at the last check.
    daemons: Vec<i32>,
    /// Whether it was logged that the runtime does not send its containers.
    is_stuck: bool,
}

/// The figures for which files are read, from the last read.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    tracked: usize,
    archived: usize,
    /// In bytes.
    memory: u64,
    /// Whether the last read did not end in time.
    are_old: bool,
}

impl Observer {
    /// An observer of `plugin`, which is not connected. `is_required` determines whether the runtime creates
    /// no container without it; it may block.
    pub(crate) fn new(plugin: Arc<OciHooks>, is_required: fn() -> Option<bool>) -> Observer {
        Observer {
            plugin,
            is_required,
            since: Timestamp::now(),
            metrics: Metrics::new(),
            state: Mutex::default(),
            gathering: BackgroundTask::default(),
            stalls: StallDetector::default(),
            uncounted: AtomicUsize::new(0),
        }
    }

    /// The plugin.
    pub(crate) fn plugin(&self) -> &Arc<OciHooks> {
        &self.plugin
    }

    /// The start of the daemon.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn stalls(&self) -> &StallDetector {
        &self.stalls
    }

    pub(super) fn configured(&self, runtime: &RuntimeInfo, policy: FailurePolicy) {
        self.registered(Connection::to(runtime, policy));
    }

    pub(super) fn registered(&self, connection: Connection) {
        self.metrics.connected();
        let mut state = self.state();
        state.connection = connection;
        state.is_required = None;
        state.is_stuck = false;
    }

    pub(super) fn synchronized(&self) {
        let mut state = self.state();
        state.connection.synchronized = true;
        let runtime = state.connection.runtime.clone().unwrap_or_default();
        drop(state);
        service_manager::ready(&escaped(&runtime).to_string());
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

    pub(super) fn ran(&self, stage: Stage, program: (&str, &str), outcome: &Outcome, took: Duration) {
        self.metrics.ran(stage, program, outcome, took);
    }

    pub(super) fn over(&self, stage: Stage, result: &StageResult, timed_out: usize) {
        self.metrics.over(stage, result, timed_out);
    }

    /// A stage is over and will be counted.
    pub(super) fn begin_counting(&self) {
        self.uncounted.fetch_add(1, Ordering::Relaxed);
    }

    /// The stage is counted.
    pub(super) fn end_counting(&self) {
        self.uncounted.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until all stages that are over are counted, at most `limit`.
    pub(crate) async fn counted(&self, limit: Duration) {
        let all_are = async {
            while self.uncounted.load(Ordering::Relaxed) > 0 {
                sleep(POLL_INTERVAL).await;
            }
        };
        // After a timeout, the daemon ends nevertheless.
        let _ = timeout(limit, all_are).await;
    }

    /// Whether any file system is known not to answer.
    pub(super) fn has_unanswered(&self) -> bool {
        !self.state().unanswered.is_empty()
    }

    /// Updates the file systems that do not answer, and logs each change.
    pub(super) fn update_unanswered(&self, now: Vec<Unanswered>) {
        let now: Vec<UnansweredPath> = now.into_iter().map(UnansweredPath::from).collect();
        let before = std::mem::replace(&mut self.state().unanswered, now.clone());
        let is_among =
            |all: &[UnansweredPath], one: &UnansweredPath| all.iter().any(|it| it.mount == one.mount);
        for one in now.iter().filter(|one| !is_among(&before, one)) {
            let (path, mount) = (&*one.path, one.mount.as_deref());
            tracing::error!(path, mount, since = %one.since, "a file system does not answer: containers that need it are refused");
            self.failed(&one.to_string());
        }
        for one in before.iter().filter(|one| !is_among(&now, one)) {
            let (path, mount) = (&*one.path, one.mount.as_deref());
            tracing::info!(path, mount, since = %one.since, "a file system answers again");
        }
    }

    /// Checks whether files that a pod brings were refused, and logs each change. Blocks.
    pub(super) fn check_refused_files(&self) {
        let file = self.plugin.config_file();
        let directory = Path::new(&*file).parent().unwrap_or(Path::new("/"));
        // A file that cannot be read is reported for the configuration, which is beside it.
        let Ok(refused) = refused_in(directory) else {
            return;
        };
        let before = std::mem::replace(&mut self.state().refused, refused.clone());
        if refused == before {
            return;
        }
        if refused.is_empty() {
            return tracing::info!("all files of the pod are active");
        }
        let errors = bounded_list(&refused);
        tracing::error!(
            errors,
            "files of the pod are refused: their earlier versions stay active"
        );
        self.failed(&format!("files of the pod are refused: {errors}"));
    }

    /// Logs that another daemon uses the state directory, if two checks have found it: that is longer than a
    /// replacement takes. Blocks.
    pub(super) fn check_other_daemons(&self) {
        let ledger = self.plugin.inspect().ledger.and_then(Result::ok);
        let daemons = ledger.map(|ledger| ledger.daemons()).unwrap_or_default();
        let before = std::mem::replace(&mut self.state().daemons, daemons.clone());
        if daemons.len() > 1 && daemons == before {
            tracing::warn!(
                processes = ?daemons,
                "several daemons use the state directory: keep the unit, or the DaemonSet, and uninstall the other"
            );
        }
    }

    /// Logs, once for a connection, that the runtime does not send its containers.
    pub(super) fn report_stuck(&self) {
        let mut state = self.state();
        if state.connection.is_stuck() && !std::mem::replace(&mut state.is_stuck, true) {
            tracing::error!("{}", stuck(&state.connection));
        }
    }

    /// Stores the last error, for the status.
    pub(super) fn failed(&self, what: &str) {
        self.state().last_error = Some(LastError {
            at: Timestamp::now(),
            text: what.to_owned(),
        });
    }

    /// The whole status.
    pub(crate) fn status(&self) -> Status {
        let inspection = self.plugin.inspect();
        let state = self.state();
        let active_files = inspection
            .active_specs
            .iter()
            .map(|(origin, spec)| ActiveFile::new(origin, spec));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            is_in_pod: is_in_pod(),
            since: self.since,
            not_ready: not_ready(&state, &inspection),
            degraded: degraded(&state, &inspection),
            unanswered: state.unanswered.clone(),
            connection: state.connection.clone(),
            configured_by: inspection.configured_by.clone(),
            configured_at: inspection.configured_at,
            newer: Vec::new(),
            delivery: inspection.config.delivery.to_string(),
            state_dir: inspection.config.state_dir.to_string(),
            no_ledger: inspection
                .ledger
                .as_ref()
                .and_then(|ledger| ledger.as_ref().err().map(ToString::to_string)),
            active: active_files.collect(),
            errors: errors(&state, &inspection),
            invalid_specs: inspection.invalid_specs.iter().map(ToString::to_string).collect(),
            image_programs: inspection.image_programs.clone(),
            unhooked_handlers: inspection.unhooked_handlers.clone(),
            without_hooks: inspection.without_hooks.iter().map(|it| (**it).clone()).collect(),
            front: front::link().map(Link::report),
            last_error: state.last_error.clone(),
        }
    }

    /// The files of which an older version is active; empty if the content of every file is active.
    pub(super) fn degraded(&self) -> Vec<String> {
        let inspection = self.plugin.inspect();
        degraded(&self.state(), &inspection)
    }

    /// The reasons why the daemon is not ready; empty if it is.
    pub(super) fn not_ready(&self) -> Vec<String> {
        let inspection = self.plugin.inspect();
        not_ready(&self.state(), &inspection)
    }

    /// The names of the metrics, as a scraper sees them.
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

    /// The metrics as text, after a read of files. If that does not end in time, they have the earlier
    /// figures, and a mark that those are old.
    pub(super) async fn metrics_now(self: &Arc<Self>) -> String {
        let observer = self.clone();
        let gathered = self
            .gathering
            .is_done_within(GATHER_TIMEOUT, move || observer.gather());
        if !gathered.await {
            self.state().figures.are_old = true;
        }
        self.metrics()
    }

    /// Reads the files for the metrics.
    pub(super) fn gather(&self) {
        if self.state().is_required.is_none() {
            // Once for a connection, because it runs programs of the runtime.
            let is_required = (self.is_required)();
            self.state().is_required = Some(is_required);
        }
        let now = self.plugin.inspect();
        let ledger = now.ledger.as_ref().and_then(|ledger| ledger.as_ref().ok());
        let mut figures = Figures {
            memory: resident_memory(),
            ..Figures::default()
        };
        if let Some(ledger) = ledger {
            let Ok(_access) = Use::Read.begin(ledger.root()) else {
                return self.state().figures.are_old = true;
            };
            figures.tracked = ledger.tracked().map_or(0, |ids| ids.len());
            figures.archived = ledger.count_archived();
        }
        self.state().figures = figures;
    }

    /// The metrics as text. Reads no file.
    pub(super) fn metrics(&self) -> String {
        let inspection = self.plugin.inspect();
        let state = self.state();
        let figures = state.figures;
        let gauges = Gauges {
            registered: state.connection.registered.is_some(),
            synchronized: state.connection.synchronized,
            refuses_on_silence: state.connection.on_silence == Some(OnSilence::Refuse),
            refuses_without: state.is_required == Some(Some(true)),
            ready: not_ready(&state, &inspection).is_empty(),
            errors: errors(&state, &inspection).len(),
            invalid_specs: invalid_specs(&inspection).len(),
            older_versions: degraded(&state, &inspection).len(),
            active_specs: inspection.active_specs.len(),
            tracked: figures.tracked,
            archived: figures.archived,
            are_counts_old: figures.are_old,
            memory: figures.memory,
            dropped_lines: dropped_lines(),
            unanswered: state.unanswered.len(),
            unhooked_handlers: inspection.unhooked_handlers.len(),
            without_hooks: inspection.without_hooks.len(),
            front: front::link().map(Link::report).unwrap_or_default(),
        };
        drop(state);
        self.metrics.text(&gauges)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so the state is complete after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In bytes; 0 if the kernel does not report it.
fn resident_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
