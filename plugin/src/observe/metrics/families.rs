//! The metrics.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{
    self, EventLabel, EventLabels, EventResult, LoadLabels, OUTCOMES, ProgramLabels, RESULTS, ReasonLabel,
    RunLabels, STAGES, StageLabel, StageLabels, StateLabel,
};
use crate::front::Report;
use crate::ledger::{Outcome, StageResult};
use crate::model::Stage;
use crate::select::{Format, Loads};

/// The event that matters most.
const CREATE: &str = "CreateContainer";

const PREFIX: &str = "nri_oci_hooks";

/// The upper bounds of event durations, in seconds: the runtime holds a lock of the node for each event.
const EVENT_BUCKETS: [f64; 10] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 2.0,
];

/// The upper bounds of hook durations, in seconds.
const RUN_BUCKETS: [f64; 10] = [0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// The maximum number of programs with a series of their own; the others share one.
const MAX_PROGRAMS: usize = 200;

/// The metrics that are counted when something happens.
#[derive(Debug)]
pub(in crate::observe) struct Metrics {
    registry: Registry,
    events: Family<EventLabels, Counter>,
    event_durations: Family<EventLabel, Histogram, fn() -> Histogram>,
    connections: Counter,
    disconnections: Counter,
    runs: Family<RunLabels, Counter>,
    run_durations: Family<StageLabel, Histogram, fn() -> Histogram>,
    program_durations: Family<ProgramLabels, Histogram, fn() -> Histogram>,
    /// Those that have a series.
    programs: Mutex<HashSet<ProgramLabels>>,
    stages: Family<StageLabels, Counter>,
    timed_out: Family<StageLabel, Counter>,
}

/// The metrics that are read when they are requested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::observe) struct Gauges {
    pub(in crate::observe) registered: bool,
    pub(in crate::observe) synchronized: bool,
    /// Whether the runtime refuses a container for which the daemon does not answer.
    pub(in crate::observe) refuses_on_silence: bool,
    /// Whether the runtime refuses containers while the plugin is not connected.
    pub(in crate::observe) refuses_without: bool,
    pub(in crate::observe) ready: bool,
    /// Errors in the configuration, the default hook-spec and hooks.d.
    pub(in crate::observe) errors: usize,
    /// Hook-specs that are invalid and that pods may select.
    pub(in crate::observe) invalid_specs: usize,
    /// Files of which an older version is active.
    pub(in crate::observe) older_versions: usize,
    /// The default hook-spec and files of hooks.d.
    pub(in crate::observe) active_specs: usize,
    pub(in crate::observe) tracked: usize,
    pub(in crate::observe) archived: usize,
    /// Whether these two are from an earlier read.
    pub(in crate::observe) are_counts_old: bool,
    /// File systems that do not answer.
    pub(in crate::observe) unanswered: usize,
    /// Runtime handlers that run no OCI hooks.
    pub(in crate::observe) unhooked_handlers: usize,
    /// Containers that lack their hooks.
    pub(in crate::observe) without_hooks: usize,
    /// Counted since the front began.
    pub(in crate::observe) front: Report,
    /// Resident memory, in bytes.
    pub(in crate::observe) memory: u64,
    /// Log lines that their destination did not accept.
    pub(in crate::observe) dropped_lines: u64,
}

impl Metrics {
    /// All at zero.
    pub(in crate::observe) fn new() -> Metrics {
        let metrics = Metrics {
            registry: Registry::with_prefix(PREFIX),
            events: Family::default(),
            event_durations: Family::new_with_constructor(|| Histogram::new(EVENT_BUCKETS)),
            connections: Counter::default(),
            disconnections: Counter::default(),
            runs: Family::default(),
            run_durations: Family::new_with_constructor(|| Histogram::new(RUN_BUCKETS)),
            program_durations: Family::new_with_constructor(|| Histogram::new(RUN_BUCKETS)),
            programs: Mutex::default(),
            stages: Family::default(),
            timed_out: Family::default(),
        };
        metrics.begin_at_zero();
        metrics.registered()
    }

    /// Creates every possible series. A series that is missing until the first failure would hide the rise.
    fn begin_at_zero(&self) {
        for stage in STAGES.map(Stage::key) {
            for outcome in OUTCOMES {
                drop(self.runs.get_or_create(&RunLabels { stage, outcome }));
            }
            for result in RESULTS {
                drop(self.stages.get_or_create(&StageLabels { stage, result }));
            }
            drop(self.run_durations.get_or_create(&StageLabel { stage }));
            drop(self.timed_out.get_or_create(&StageLabel { stage }));
        }
        drop(self.program_durations.get_or_create(&ProgramLabels::others()));
        drop(self.event_durations.get_or_create(&EventLabel { event: CREATE }));
        for result in EventResult::ALL.map(EventResult::word) {
            let event = CREATE;
            drop(self.events.get_or_create(&EventLabels { event, result }));
        }
    }

    fn registered(mut self) -> Metrics {
        let version = env!("CARGO_PKG_VERSION");
        let registry = &mut self.registry;
        registry.register(
            "build",
            "Version of the daemon",
            Info::new([("version", version)]),
        );
        registry.register(
            "events",
            "Events of the runtime that were handled",
            self.events.clone(),
        );
        let (help, durations) = ("Duration of the handling of events", self.event_durations.clone());
        registry.register_with_unit("event_duration", help, Unit::Seconds, durations);
        let help = "Connections on which the runtime configured this plugin";
        registry.register("connections", help, self.connections.clone());
        let help = "Connections that ended, after which containers go without hooks until the next";
        registry.register("disconnections", help, self.disconnections.clone());
        registry.register("hook_runs", "Hooks that have run", self.runs.clone());
        let (help, durations) = ("Duration of hooks", self.run_durations.clone());
        registry.register_with_unit("hook_duration", help, Unit::Seconds, durations);
        let (help, durations) = (
            "Duration of hooks, by program and hook-spec",
            self.program_durations.clone(),
        );
        registry.register_with_unit("program_duration", help, Unit::Seconds, durations);
        registry.register(
            "stages",
            "Stages of containers that are over",
            self.stages.clone(),
        );
        let help = "Events that were answered before the hooks they waited for had ended";
        registry.register("event_timeouts", help, self.timed_out.clone());
        self
    }

    /// An event was handled.
    pub(in crate::observe) fn handled(&self, event: &'static str, result: EventResult, took: Duration) {
        let result = result.word();
        self.events.get_or_create(&EventLabels { event, result }).inc();
        self.event_durations
            .get_or_create(&EventLabel { event })
            .observe(took.as_secs_f64());
    }

    /// The runtime has configured the plugin.
    pub(in crate::observe) fn connected(&self) {
        self.connections.inc();
    }

    /// The connection to the runtime ended.
    pub(in crate::observe) fn disconnected(&self) {
        self.disconnections.inc();
    }

    /// A hook ended, which runs the program at `path` because the hook-spec `file` says so.
    pub(in crate::observe) fn ran(
        &self,
        stage: Stage,
        (path, file): (&str, &str),
        outcome: &Outcome,
        took: Duration,
    ) {
        self.program_durations
            .get_or_create(&self.program(path, file))
            .observe(took.as_secs_f64());
        let (stage, outcome) = (stage.key(), labels::outcome(outcome));
        self.runs.get_or_create(&RunLabels { stage, outcome }).inc();
        self.run_durations
            .get_or_create(&StageLabel { stage })
            .observe(took.as_secs_f64());
    }

    /// The labels of a program. Hook-specs may change without end, and series stay.
    fn program(&self, path: &str, file: &str) -> ProgramLabels {
        let labels = ProgramLabels::of(path, file);
        // Usable after a panic: labels are only added.
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if !programs.contains(&labels) {
            if programs.len() == MAX_PROGRAMS {
                return ProgramLabels::others();
            }
            programs.insert(labels.clone());
        }
        labels
    }

    /// A stage of a container is over; `timed_out` events had to be answered before its end.
    pub(in crate::observe) fn over(&self, stage: Stage, result: &StageResult, timed_out: usize) {
        let (stage, result) = (stage.key(), labels::result(result));
        self.stages.get_or_create(&StageLabels { stage, result }).inc();
        let timed_out = u64::try_from(timed_out).unwrap_or(u64::MAX);
        self.timed_out
            .get_or_create(&StageLabel { stage })
            .inc_by(timed_out);
    }

    /// All metrics as text, with the current gauges.
    pub(in crate::observe) fn text(&self, now: &Gauges) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &now.registry()))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

impl Gauges {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut gauge = |name, help, value: usize| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            registry.register(name, help, ConstGauge::new(value));
        };
        gauge(
            "registered",
            "Whether the runtime has this plugin",
            usize::from(self.registered),
        );
        gauge(
            "synchronized",
            "Whether the runtime has sent its containers",
            usize::from(self.synchronized),
        );
        gauge(
            "ready",
            "Whether the daemon is ready, as in /readyz",
            usize::from(self.ready),
        );
        let help =
            "Whether the runtime refuses containers while this plugin is connected and does not answer";
        gauge("refused_on_silence", help, usize::from(self.refuses_on_silence));
        let help =
            "Whether the runtime refuses containers while this plugin is not connected (required plugins)";
        gauge("refused_without", help, usize::from(self.refuses_without));
        let help = "Errors in the configuration, the default hook-spec and hooks.d";
        gauge("file_errors", help, self.errors);
        gauge(
            "invalid_specs",
            "Hook-specs that are invalid and that pods may select",
            self.invalid_specs,
        );
        let help = "Files of which an older version is active, because they are invalid";
        gauge("older_versions", help, self.older_versions);
        gauge(
            "active_specs",
            "Active files: default hook-spec and hooks.d",
            self.active_specs,
        );
        let memory = usize::try_from(self.memory).unwrap_or(usize::MAX);
        gauge("resident_memory_bytes", "Memory of the daemon", memory);

        let help = "Whether the figures of the ledger are old because it does not answer";
        gauge(
            "ledger_containers_outdated",
            help,
            usize::from(self.are_counts_old),
        );
        gauge(
            "unanswered_file_systems",
            "File systems that do not answer; containers that need one are refused",
            self.unanswered,
        );

        gauge(
            "unhooked_runtime_handlers",
            "Runtime handlers that run no OCI hooks, whose containers get none",
            self.unhooked_handlers,
        );
        gauge(
            "containers_without_hooks",
            "Containers that run without their hooks",
            self.without_hooks,
        );

        let dropped = ConstCounter::new(self.dropped_lines);
        let help = "Log lines that were dropped because their destination did not accept them in time";
        registry.register("log_lines_dropped", help, dropped);

        let Report {
            registrations,
            ended,
            hung,
            answered,
            ..
        } = self.front;
        let reasons = [
            ("start", registrations.start),
            ("runtime", registrations.runtime),
            ("subscription", registrations.subscription),
        ];
        let help = "Registrations of the plugin, by reason; a registration waits for every stop on the node";
        registry.register("registrations", help, by_reason(&reasons));
        let help = "Daemons that the front replaced, by reason";
        registry.register("restarts", help, by_reason(&[("ended", ended), ("hung", hung)]));
        let help = "Requests that the front answered because the daemon did not in time";
        registry.register("answered_for", help, ConstCounter::new(answered));

        let containers: Family<StateLabel, Gauge> = Family::default();
        for (state, count) in [("tracked", self.tracked), ("archived", self.archived)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            containers.get_or_create(&StateLabel { state }).set(count);
        }
        registry.register("ledger_containers", "Containers in the ledger", containers);

        let loads: Family<LoadLabels, Counter> = Family::default();
        for (format, read) in [("hook-spec", Format::HookSpec), ("hooks.d", Format::HooksD)] {
            let Loads { good, bad } = Loads::of(read);
            for (result, count) in [("ok", good), ("error", bad)] {
                loads.get_or_create(&LoadLabels { format, result }).inc_by(count);
            }
        }
        registry.register("spec_loads", "Files of hooks that were read", loads);
        registry
    }
}

fn by_reason(counts: &[(&'static str, u64)]) -> Family<ReasonLabel, Counter> {
    let family: Family<ReasonLabel, Counter> = Family::default();
    for (reason, count) in counts {
        family.get_or_create(&ReasonLabel { reason }).inc_by(*count);
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metrics: &Metrics) -> Vec<String> {
        let text = metrics.text(&Gauges::default());
        let counts = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("nri_oci_hooks_program_duration_seconds_count")?;
            Some(rest.to_owned())
        });
        counts.collect()
    }

    #[test]
    fn durations_are_counted_by_program_and_hook_spec_and_names_that_are_too_many_share_a_series() {
        let metrics = Metrics::new();
        let others = |count| format!("{{program=\"others\",file=\"others\"}} {count}");
        assert_eq!(series(&metrics), [others(0)]);
        let ran = |path: &str, file: &str| {
            let outcome = Outcome::Exited { status: 0 };
            metrics.ran(Stage::Prestart, (path, file), &outcome, Duration::from_secs(1));
        };
        for path in ["/opt/hooks/gpu", "/opt/hooks/gpu", "/other/gpu"] {
            ran(path, "/etc/a.json");
        }
        let gpu = "{program=\"gpu\",file=\"/etc/a.json\"} 3".to_owned();
        assert!(series(&metrics).contains(&gpu));
        ran("/opt/a\"b\nc", "/etc/\u{e9}.json");
        assert!(series(&metrics).contains(&"{program=\"a_b_c\",file=\"/etc/_.json\"} 1".to_owned()));
        for number in 0..2 * MAX_PROGRAMS {
            ran(&format!("/opt/{number}"), "/etc/a.json");
        }
        let all = series(&metrics);
        assert_eq!(all.len(), MAX_PROGRAMS + 1);
        assert!(all.contains(&others(MAX_PROGRAMS + 2)), "{all:?}");
    }
}
