//! Checks whether NRI is on and reachable, and whether its timeouts are long enough.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::examine::Examined;
use crate::config::Delivery;
use crate::model::{Stage, escaped, escaped_path};
use crate::node::{Finding, Kind, Node, Settings, Version, find};

/// The name that the daemon registers with.
const NAME: &str = "oci-hooks";

/// Checks the runtimes of the node.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    if examined.runtimes.is_empty() {
        let what = "this node has neither containerd nor CRI-O";
        findings.push(Finding::problem(
            "runtime",
            what,
            "install one, or name the node's files with --root",
        ));
    }
    for settings in &examined.runtimes {
        findings.push(if settings.is_version_known {
            Finding::good("runtime", settings.label())
        } else {
            let what = format!("{}, of unknown version: treated as 2", settings.label());
            Finding::note("runtime", what)
        });
        check_switched_on(examined, settings, findings);
        check_socket(examined, settings, findings);
        check_timeouts(examined, settings, findings);
        check_validator(examined, settings, findings);
        check_timing(examined, settings, findings);
    }
}

fn check_switched_on(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let (file, on) = match settings.kind {
        Kind::Containerd => ("/etc/containerd/conf.d/nri-oci-hooks.toml", "disable = false"),
        Kind::Crio => ("/etc/crio/crio.conf.d/50-nri-oci-hooks.conf", "enable_nri = true"),
    };
    let label = settings.label();
    if !settings.is_enabled {
        let remedy = match examined.is_in_pod() {
            true => format!(
                "write {on} to {file}, as deploy/containerd and deploy/crio show; then restart the runtime"
            ),
            false => {
                format!(
                    "run: nri-oci-hooks runtime enable, which writes {on} to {file}; then restart the runtime"
                )
            }
        };
        findings.push(Finding::problem(
            "nri-off",
            format!("{label}: NRI is off"),
            remedy,
        ));
    } else if !settings.takes_connections && !examined.is_launched(settings) {
        let what = format!(
            "{label}: plugins cannot connect, and this plugin is not in {}",
            escaped(&settings.plugins)
        );
        let remedy = match examined.is_in_pod() {
            true => "let them connect, as deploy/containerd and deploy/crio show; then restart the runtime",
            false => "run: nri-oci-hooks runtime enable, which lets them connect; then restart the runtime",
        };
        findings.push(Finding::problem("nri-no-connections", what, remedy));
    } else {
        findings.push(Finding::good("nri", format!("{label}: NRI is on")));
    }
}

fn check_socket(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    if !settings.is_enabled || !settings.takes_connections || !examined.node.is_this_node() {
        return;
    }
    findings.push(socket(&examined.node.path(&settings.socket)));
}

/// Checks NRI's socket, which should be at `path`.
pub(super) fn socket(path: &Path) -> Finding {
    let socket = escaped_path(path);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            let remedy = "start the runtime; if it runs, restart it, because its configuration may be newer";
            return Finding::problem("nri-socket", format!("{socket} does not exist"), remedy);
        }
        Err(error) => {
            let what = format!("{socket} cannot be accessed: {error}");
            return Finding::problem("nri-socket", what, "run this as root");
        }
    }
    let directory = path.parent().and_then(|directory| directory.metadata().ok());
    match directory {
        Some(directory) if directory.uid() != 0 || directory.mode() & 0o077 != 0 => {
            let mode = directory.mode() & 0o7777;
            let what = format!(
                "the directory of {socket} has owner {} and mode {mode:04o}: a process that can open the socket can become root",
                directory.uid()
            );
            let directory = escaped_path(path.parent().unwrap_or(path));
            let remedy = format!("run: chown root {directory} && chmod 0700 {directory}");
            Finding::warning("nri-socket", what, remedy)
        }
        _ => Finding::good("nri-socket", format!("{socket} exists")),
    }
}

/// Compares the timeouts of the runtime with each other, and with the hooks that events wait for.
fn check_timeouts(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let (label, request) = (settings.label(), settings.request_timeout);
    if settings.registration_timeout <= request {
        let what = format!(
            "{label}: plugins have {:?} to register, but a single request may take {request:?}",
            settings.registration_timeout
        );
        findings.push(Finding::warning(
            "registration-timeout",
            what,
            "make plugin_registration_timeout longer than plugin_request_timeout",
        ));
    }
    let longest = examined.stage_seconds(Stage::Poststart);
    if examined.config.delivery != Delivery::Direct && longest > request.as_secs() {
        let what = format!(
            "{label} waits {request:?} for a plugin, but the poststart hooks of the default hook-spec may take {longest} s: a start may return before they end"
        );
        let remedy = "give them shorter timeouts, or the runtime a longer plugin_request_timeout";
        findings.push(Finding::warning("request-timeout", what, remedy));
    }
}

fn check_validator(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let label = settings.label();
    if settings.rejects_hooks && examined.config.delivery != Delivery::Events {
        let what = format!(
            "{label}: its validator refuses OCI hooks of plugins, so every container with hooks fails"
        );
        let remedy =
            "set delivery = \"events\", or remove reject_oci_hook_adjustment from the runtime's validator";
        findings.push(Finding::problem("validator", what, remedy));
    }
    if is_required(settings) {
        findings.push(Finding::good(
            "required",
            format!("{label} refuses containers while {NAME} is not connected"),
        ));
    } else {
        let what = format!("{label} creates containers without hooks while the daemon is not connected");
        findings.push(Finding {
            remedy: can_require(settings)
                .then(|| format!("to refuse them instead, make {NAME} a required plugin of its validator")),
            ..Finding::note("required", what)
        });
    }
}

/// Whether the runtime creates no container while the daemon is not connected.
fn is_required(settings: &Settings) -> bool {
    settings.required_plugins.iter().any(|required| required == NAME)
}

/// Whether the runtime's version supports required plugins.
fn can_require(settings: &Settings) -> bool {
    let since = match settings.kind {
        Kind::Containerd => Version(2, 2, 0),
        Kind::Crio => Version(1, 34, 0),
    };
    settings.version.is_some_and(|version| version >= since)
}

/// Whether this node's runtime creates no container while the daemon is not connected, by its files. `None`
/// if there is no runtime, or several that differ.
pub(crate) fn requires_plugin(node: &Node) -> Option<bool> {
    let (runtimes, _) = find(node);
    let mut answers = runtimes.iter().map(is_required);
    let first = answers.next()?;
    answers.all(|answer| answer == first).then_some(first)
}

/// Checks the effect of the versions of runtime and OCI runtime on the time at which hooks run.
fn check_timing(examined: &Examined<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let direct = examined.config.delivery == Delivery::Direct;
    if let Some(runc) = examined
        .node
        .version("runc")
        .filter(|runc| *runc < Version(1, 6, 0))
    {
        let what = format!("runc {runc} runs poststart hooks before init");
        findings.push(if direct {
            let remedy = "set delivery = \"runner\", which waits for init";
            Finding::warning("timing", what, remedy)
        } else {
            Finding::note(
                "timing",
                format!("{what}; the runner of this plugin waits for init"),
            )
        });
    }
    if direct && settings.kind == Kind::Containerd {
        let what = "containerd ends a container's poststop hooks after 10 s";
        findings.push(Finding::warning(
            "timing",
            what,
            "set delivery = \"runner\", which lets poststop hooks end",
        ));
    }
    if examined.config.delivery == Delivery::Events && settings.kind == Kind::Crio {
        let what = "with events, CRI-O reports a failing prestart as a container that has stopped; the reason is in \
                    CRI-O's log and in nri-oci-hooks log";
        findings.push(Finding::note("timing", what.to_owned()));
    }
    if direct && settings.kind == Kind::Crio {
        let what = "CRI-O runs poststop hooks when a container is removed, not when it stops";
        findings.push(Finding::warning(
            "timing",
            what,
            "set delivery = \"runner\", which runs them when it stops",
        ));
    }
}
