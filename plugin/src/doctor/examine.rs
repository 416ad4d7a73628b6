//! The examination: it reads the common data first, then runs every check.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{cgroups, daemon, files, nri, plugins, restart, unit};
use crate::bounded::within;
use crate::config::{Config, Overrides};
use crate::diagnostic::Diagnostic;
use crate::host::is_in_pod;
use crate::lint::{LintedFile, named_by};
use crate::model::{Stage, prose};
use crate::node::{self, Finding, Level, Node, Settings};
use crate::observe::{Status, StatusError, request_status};
use crate::select::LoadedSpec;
use crate::trust::access;

/// The maximum time of all checks together; a query of a plugin or a daemon may take five seconds of it.
const LIMIT: Duration = Duration::from_secs(8);

/// The subject of an examination.
#[derive(Debug, Clone)]
pub(crate) struct Examination {
    /// The node.
    pub(crate) node: Node,
    /// The configuration's file; with `None`, the defaults are used.
    pub(crate) config: Option<String>,
    /// Whether to examine the files that the configuration names. Not for an image, where they have other
    /// paths.
    pub(crate) checks_files: bool,
}

/// The data that the checks use.
pub(super) struct Examined<'e> {
    pub(super) node: &'e Node,
    pub(super) runtimes: Vec<Settings>,
    pub(super) config_file: Option<String>,
    pub(super) config: Config,
    pub(super) config_errors: Vec<Diagnostic>,
    /// All files of hooks that the configuration names.
    pub(super) linted: Vec<LintedFile>,
    pub(super) checks_files: bool,
    /// The daemon's answer; `None` if it is not queried.
    pub(super) status: Option<Result<Status, StatusError>>,
    defaults: Vec<LoadedSpec>,
    /// The programs of the default hook-specs.
    pub(super) programs: Vec<Arc<str>>,
}

/// All findings, the most important first. A place that does not answer is a finding too, and ends the
/// examination.
pub(crate) fn examine(examination: &Examination) -> Vec<Finding> {
    let findings = Arc::new(Mutex::new(Vec::new()));
    let (examination, found) = (examination.clone(), findings.clone());
    let is_complete = within(LIMIT, move || check_all(&examination, &found)).is_some();
    let mut findings = std::mem::take(&mut *lock(&findings));
    if !is_complete {
        findings.extend(unanswered());
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

/// The findings that explain why an examination is not complete.
fn unanswered() -> Vec<Finding> {
    let unanswered = access::unanswered();
    let of_one = |one: &access::Unanswered| {
        let remedy = "check its disk or its server, then run doctor again: this report is incomplete";
        Finding::problem("file-system", prose(&one.to_string()), remedy)
    };
    match unanswered.is_empty() {
        true => {
            let what = format!(
                "the checks did not end within {} s: this report is incomplete",
                LIMIT.as_secs()
            );
            vec![Finding::problem(
                "file-system",
                what,
                "check the disks and file servers of this node",
            )]
        }
        false => unanswered.iter().map(of_one).collect(),
    }
}

/// A panic leaves no partial list: findings are only added.
fn lock(findings: &Mutex<Vec<Finding>>) -> MutexGuard<'_, Vec<Finding>> {
    findings.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_all(examination: &Examination, found: &Mutex<Vec<Finding>>) {
    let node = &examination.node;
    let (runtimes, findings) = node::find(node);
    lock(found).extend(findings);
    let (config, config_errors) = match &examination.config {
        None => (Config::default(), Vec::new()),
        Some(file) => match Config::from_file(file, &Overrides::default()) {
            Ok(config) => (config, Vec::new()),
            Err(errors) => (Config::default(), errors),
        },
    };
    // A missing file is no error if only the defaults name it.
    let checks_files = examination.checks_files && config_errors.is_empty();
    let defaults = config.defaults().filter(|_| checks_files);
    let defaults: Vec<LoadedSpec> = defaults
        .filter_map(|(file, _)| LoadedSpec::load(file).ok())
        .collect();
    let programs = defaults.iter().flat_map(LoadedSpec::programs);
    let examined = Examined {
        node,
        runtimes,
        config_file: examination.config.clone(),
        linted: if checks_files {
            named_by(&config)
        } else {
            Vec::new()
        },
        status: node
            .is_this_node()
            .then(|| request_status(Path::new(&*config.state_dir))),
        programs: programs.map(|program| program.path.clone()).collect(),
        config,
        config_errors,
        checks_files,
        defaults,
    };
    let checks = [
        nri::check,
        plugins::check,
        unit::check,
        restart::check,
        files::check,
        daemon::check,
        cgroups::check,
    ];
    for check in checks {
        let mut findings = Vec::new();
        check(&examined, &mut findings);
        lock(found).append(&mut findings);
    }
}

impl Finding {
    /// Whether hooks do not run, or not safely, because of this finding.
    pub(crate) fn is_problem(&self) -> bool {
        self.level == Level::Problem
    }
}

impl Examined<'_> {
    /// The maximum time that the hooks of a stage of the default hook-specs may take together, in seconds.
    pub(super) fn stage_seconds(&self, stage: Stage) -> u64 {
        let hooks = self
            .defaults
            .iter()
            .filter_map(|spec| spec.spec().stages.get(&stage))
            .flatten();
        let timeouts = hooks.map(|hook| hook.timeout.unwrap_or(self.config.default_timeout));
        timeouts.map(|timeout| u64::from(timeout.seconds())).sum()
    }

    /// Whether the daemon runs, or will run, in a pod: that of this command, or the one in its status.
    pub(super) fn is_in_pod(&self) -> bool {
        let says_so = matches!(&self.status, Some(Ok(status)) if status.is_in_pod);
        self.node.is_this_node() && (is_in_pod() || says_so)
    }

    /// Whether the runtime launches this plugin.
    pub(super) fn is_launched(&self, settings: &Settings) -> bool {
        let files = plugins::launched(self.node, &settings.plugins);
        files.iter().any(|file| self.is_ours(file))
    }

    /// Whether a plugin's file, by its path on the node, is this program: by its name, or by the target of
    /// its link.
    pub(super) fn is_ours(&self, file: &Path) -> bool {
        let leads_to = self.node.real(file);
        plugins::plugin_name(file) == Some("oci-hooks")
            || leads_to.file_name() == Some("nri-oci-hooks".as_ref())
    }
}
