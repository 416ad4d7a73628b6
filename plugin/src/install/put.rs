//! The plan of an installation.

use std::fs;
use std::path::Path;

use super::containerd_file::importing;
use super::layout::{
    CONFIG, CONTAINERD, CONTAINERD_DROP_IN, CRIO_DROP_IN, PLUGIN, PROGRAM, SPECS, UNIT, WANTED,
};
use super::{InstallError, Plan, Step, Target, Way};
use crate::doctor::{InstalledRuntime, installed_runtime};

const SAMPLE: &str = include_str!("../../../deploy/config.toml");
const SERVICE: &str = include_str!("../../../deploy/systemd/nri-oci-hooks.service");
const CONTAINERD_1_7: &str = include_str!("../../../deploy/containerd/containerd-1.7.toml");
const CONTAINERD_2: &str = include_str!("../../../deploy/containerd/containerd-2.toml");
const CRIO: &str = include_str!("../../../deploy/crio/crio.conf");

/// What is to be changed so that the daemon, whose program is at `program`, is in place.
///
/// # Errors
/// There is no runtime, or its file cannot be changed safely.
pub fn install(target: &Target, program: &Path) -> Result<Plan, InstallError> {
    let runtime = match target.runtime {
        Some(runtime) => runtime,
        None => installed_runtime(&target.node).ok_or_else(|| InstallError::NoRuntime(target.path("/")))?,
    };
    let mut plan = Plan::default();
    let content = fs::read(program).map_err(InstallError::io("read", program))?;
    plan.steps.push(Step::File {
        path: target.path(PROGRAM),
        content,
        mode: 0o755,
        what: "the program",
    });
    plan.steps.push(Step::FileIfAbsent {
        path: target.path(CONFIG),
        content: SAMPLE.into(),
        what: "the configuration",
    });
    plan.steps.push(Step::Folder {
        path: target.path(SPECS),
        mode: 0o755,
    });
    runtime_steps(target, runtime, &mut plan)?;
    way_steps(target, runtime, &mut plan);
    Ok(plan)
}

fn runtime_steps(target: &Target, runtime: InstalledRuntime, plan: &mut Plan) -> Result<(), InstallError> {
    let (path, content) = match runtime {
        InstalledRuntime::Containerd17 => (CONTAINERD_DROP_IN, CONTAINERD_1_7),
        InstalledRuntime::Containerd2 => (CONTAINERD_DROP_IN, CONTAINERD_2),
        InstalledRuntime::Crio => (CRIO_DROP_IN, CRIO),
    };
    plan.steps.push(Step::File {
        path: target.path(path),
        content: content.into(),
        mode: 0o644,
        what: "which switches NRI on",
    });
    let version = match runtime {
        InstalledRuntime::Containerd17 => 2,
        InstalledRuntime::Containerd2 => 3,
        InstalledRuntime::Crio => return Ok(()),
    };
    let path = target.path(CONTAINERD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(InstallError::io("read", path)(error)),
    };
    let edited = importing(&text, version).map_err(|reason| InstallError::RuntimeFile {
        path: path.clone(),
        reason,
        remedy: "imports = [\"/etc/containerd/conf.d/*.toml\"]".to_owned(),
    })?;
    if let Some(edited) = edited {
        plan.steps.push(Step::File {
            path,
            content: edited.into(),
            mode: 0o644,
            what: "so that it imports drop-ins",
        });
    }
    Ok(())
}

fn way_steps(target: &Target, runtime: InstalledRuntime, plan: &mut Plan) {
    let service = match runtime {
        InstalledRuntime::Crio => "crio",
        _ => "containerd",
    };
    match target.way {
        Way::Systemd => {
            plan.steps.push(Step::File {
                path: target.path(UNIT),
                content: SERVICE.replace("/usr/bin/nri-oci-hooks", PROGRAM).into(),
                mode: 0o644,
                what: "the unit",
            });
            plan.steps.push(Step::Link {
                path: target.path(WANTED),
                target: UNIT.into(),
                what: "which starts it with the node",
            });
            plan.afterwards.push("systemctl daemon-reload".into());
            plan.afterwards.push(format!("systemctl restart {service}"));
            plan.afterwards.push("systemctl start nri-oci-hooks".into());
        }
        Way::Launched => {
            plan.steps.push(Step::Link {
                path: target.path(PLUGIN),
                target: PROGRAM.into(),
                what: "which the runtime launches",
            });
            plan.afterwards.push(format!("systemctl restart {service}"));
        }
    }
    plan.afterwards.push("nri-oci-hooks doctor".into());
}
