//! The daemon and its state directory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::examine::Examined;
use crate::daemon::{ConfiguredBy, WithoutHooks};
use crate::ledger::Ledger;
use crate::model::{counted, escaped, prose};
use crate::node::Finding;
use crate::observe::{OnSilence, Status, StatusError};
use crate::trust::{Fault, TrustedDir};

/// With less free space than this, in bytes, records may not be written.
const LEAST_SPACE: u64 = 16 * 1024 * 1024;

/// With fewer free inodes than this, records may not be written either.
const LEAST_FILES: u64 = 1000;

/// The maximum number of containers in a finding.
const MAX_NAMED: usize = 5;

/// Checks the daemon.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    check_state(examined, findings);
    match &examined.status {
        None => return,
        Some(Ok(status)) => findings.extend(of_status(status, examined.config_file.as_deref())),
        Some(Err(error)) => findings.push(no_answer(error, examined.is_in_pod())),
    }
    if let Ok(ledger) = Ledger::open(Path::new(&*examined.config.state_dir)) {
        findings.extend(several(&ledger.daemons()));
    }
}

/// The finding that several daemons use the state directory.
pub(super) fn several(daemons: &[i32]) -> Option<Finding> {
    let numbers: Vec<String> = daemons.iter().map(ToString::to_string).collect();
    (daemons.len() > 1).then(|| {
        Finding::warning(
            "several-daemons",
            format!("several daemons use the state directory: processes {}", numbers.join(", ")),
            "wait a minute if one replaces the other; else keep the unit, or the DaemonSet, and uninstall the other",
        )
    })
}

pub(super) fn no_answer(error: &StatusError, is_in_pod: bool) -> Finding {
    let remedy = match error {
        StatusError::NoDaemon { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "run this as root"
        }
        _ if is_in_pod => "see why it ended: kubectl logs of the daemon's pod, also with --previous",
        _ => "start it: systemctl start nri-oci-hooks; why it ended: journalctl -u nri-oci-hooks",
    };
    Finding::problem("daemon", prose(&error.to_string()), remedy)
}

fn check_state(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    if !examined.config.needs_ledger() {
        return;
    }
    let name = escaped(&examined.config.state_dir).to_string();
    let directory = examined.node.path(&*examined.config.state_dir);
    match TrustedDir::at(&directory) {
        Err(error) if error.fault == Fault::NotFound => {
            return findings.push(Finding::note(
                "state-dir",
                format!("{name} does not exist yet; the daemon creates it"),
            ));
        }
        Err(error) => {
            let what = format!("{name}: {error}");
            return findings.push(Finding::problem("state-dir", what, error.help()));
        }
        Ok(trusted) if trusted.is_shared() => {
            let what = format!("users other than root can create files in {name}");
            return findings.push(Finding::problem(
                "state-dir",
                what,
                format!("run: chmod 0700 {name}"),
            ));
        }
        Ok(_) => {}
    }
    if let Ok(system) = statvfs(&directory) {
        let space = system.blocks_available().saturating_mul(system.fragment_size());
        // Some file systems have no fixed number of files.
        let files = (system.files() > 0).then(|| system.files_available());
        if let Some(full) = full_disk(&name, space, files) {
            return findings.push(full);
        }
    }
    findings.push(
        match Ledger::open(&directory).and_then(|ledger| ledger.tracked()) {
            Ok(tracked) => Finding::good(
                "state-dir",
                format!("{name}: {} with hooks", counted(tracked.len(), "container")),
            ),
            Err(error) => Finding::problem(
                "state-dir",
                format!("{name}: {error}"),
                "resolve the error that the kernel reports",
            ),
        },
    );
}

/// The finding that the disk of the directory `name` is nearly full: of bytes, or of files if the file system
/// counts them.
pub(super) fn full_disk(name: &str, space: u64, files: Option<u64>) -> Option<Finding> {
    if space >= LEAST_SPACE && files.is_none_or(|files| files >= LEAST_FILES) {
        return None;
    }
    let what = format!("the disk of {name} is full: containers with hooks cannot be created");
    let remedy = "free space on it, or set another state_dir";
    Some(Finding::problem("disk", what, remedy))
}

/// The findings from the daemon's status; `config_file` is the configuration of this command.
pub(super) fn of_status(status: &Status, config_file: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if status.not_ready.is_empty() {
        findings.push(Finding::good(
            "daemon",
            format!("{} is registered and ready", escaped(&status.version)),
        ));
    }
    for reason in &status.not_ready {
        let hangs = status.unanswered.iter().any(|path| path.to_string() == *reason);
        let is_stuck = status.connection.is_stuck() && reason.contains("not synchronized");
        let remedy = match hangs {
            true => "check its disk or its server; the daemon needs no restart",
            false if is_stuck => {
                "end the container that is being stopped; if there is none, restart the runtime, which leaves containers \
                 running. Do not restart the daemon: that adds another registration"
            }
            false => "see nri-oci-hooks status, and the daemon's log",
        };
        findings.push(Finding::problem("daemon", prose(reason), remedy));
    }
    for file in &status.degraded {
        let remedy = "correct the file; nri-oci-hooks check names every error";
        findings.push(Finding::problem("older-version", prose(file), remedy));
    }
    for handler in &status.unhooked_handlers {
        let (name, key) = match &**handler {
            "" => ("the default runtime handler".to_owned(), "delivery".to_owned()),
            handler => (
                format!("runtime handler {}", escaped(handler)),
                format!("runtimes.{}.delivery", escaped(handler)),
            ),
        };
        let what = format!("{name} runs no OCI hooks: its containers get none");
        let remedy = format!("set {key} = \"events\" in the configuration, and restart the daemon");
        findings.push(Finding::problem("runtime-handler", what, remedy));
    }
    findings.extend(without_hooks(&status.without_hooks));
    findings.extend(status.connection.on_silence.map(silence));
    let restart = match status.is_in_pod {
        true => "restart it: kubectl delete pod of the daemon's pod on this node",
        false => "restart it: systemctl restart nri-oci-hooks",
    };
    let ours = env!("CARGO_PKG_VERSION");
    if status.version != ours {
        let what = format!(
            "the daemon has version {}, and this program {ours}",
            escaped(&status.version)
        );
        findings.push(Finding::warning("daemon-version", what, restart));
    }
    let program = fs::read_link(format!("/proc/{}/exe", status.pid)).unwrap_or_default();
    if program.to_string_lossy().ends_with(" (deleted)") {
        let what = "the daemon's program was replaced since the daemon started";
        findings.push(Finding::warning("daemon-version", what, restart));
    }
    if let (Some(file), ConfiguredBy::File(used)) = (config_file, &status.configured_by)
        && *file != **used
    {
        let what = format!(
            "the daemon uses the configuration {}, not {}",
            escaped(used),
            escaped(file)
        );
        findings.push(Finding::warning(
            "config",
            what,
            "name the daemon's file with --config",
        ));
    }
    findings
}

/// The finding that containers lack their hooks; it names the first of them.
fn without_hooks(all: &[WithoutHooks]) -> Option<Finding> {
    let name = |it: &WithoutHooks| {
        prose(&format!(
            "{}/{}/{} ({})",
            it.namespace, it.pod, it.container, it.why
        ))
    };
    let named: Vec<String> = all.iter().take(MAX_NAMED).map(name).collect();
    let more = match all.len().checked_sub(MAX_NAMED) {
        Some(more) if more > 0 => format!(", and {more} more"),
        _ => String::new(),
    };
    let what = match all {
        [] => return None,
        [_] => "a container runs without the hooks that it should have".to_owned(),
        _ => format!(
            "{} containers run without the hooks that they should have",
            all.len()
        ),
    };
    Some(Finding::problem(
        "without-hooks",
        format!("{what}: {}{more}", named.join(", ")),
        "delete their pods, or set missed.action = \"restart\"; nri-oci-hooks ps lists them",
    ))
}

/// The finding about the runtime's reaction if the daemon does not answer.
fn silence(does: OnSilence) -> Finding {
    let name = "silence";
    match does {
        OnSilence::Refuse => Finding::good(name, "the runtime refuses containers while the daemon hangs"),
        OnSilence::Ignore => Finding::note(
            name,
            "the runtime creates containers without hooks while the daemon hangs: failure_policy is ignore",
        ),
        OnSilence::LetThrough => Finding {
            remedy: Some("use a runtime with NRI 0.12.5 or newer, which refuses them".to_owned()),
            ..Finding::note(
                name,
                "if the daemon and its front hang, the runtime creates containers without hooks until they connect again",
            )
        },
    }
}
