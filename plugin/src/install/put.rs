//! The plan of an installation.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::backup::fresh_name;
use super::containerd_file::importing;
use super::drop_in::drop_in;
use super::layout::{
    CONFIG, CONTAINERD, CONTAINERD_DROP_IN, CRIO_DROP_IN, PLUGIN, PLUGINS, PROGRAM, SPECS, UNIT, WANTED,
    backup_directory,
};
use super::ours::{Whose, sealed, whose_file, whose_link, whose_program};
use super::unit::Options;
use super::{InstallError, Plan, Step, Target, Way};
use crate::doctor::{InstalledRuntime, Node, NotTold, installed_runtime};
use crate::model::prose;

const SAMPLE: &str = include_str!("../../../deploy/config.toml");
const CRIO: &str = include_str!("../../../deploy/crio/crio.conf");

/// The daemon's socket of NRI, unless it is told otherwise.
const NRI_SOCKET: &str = containerd_nri::DEFAULT_SOCKET;

/// What the runtime's configuration means for how the daemon is started.
#[derive(Default)]
struct Found {
    /// Another socket than the daemon's default.
    socket: Option<String>,
    /// Another directory of plugins than the runtime's default.
    plugins: Option<String>,
}

/// What is to be changed so that the daemon, whose program is at `program`, is in place.
///
/// # Errors
/// There is no runtime, its file cannot be changed safely, or what was asked for does not go together.
pub fn install(target: &Target, program: &Path) -> Result<Plan, InstallError> {
    let node = &target.node;
    let runtime = match target.runtime {
        Some(runtime) => runtime,
        None => installed_runtime(node).map_err(|why| match why {
            NotTold::NoRuntime => InstallError::NoRuntime(node.path("/")),
            NotTold::WhichContainerd => InstallError::WhichContainerd(node.path("/")),
        })?,
    };
    let options = match target.way {
        Way::Systemd => Options::to_give(target),
        Way::Launched if target.config.is_some() || target.state_dir.is_some() => {
            return Err(InstallError::NoOptions);
        }
        Way::Launched => Options::default(),
    };
    let mut plan = Plan::default();
    let content = fs::read(program).map_err(InstallError::io("read", program))?;
    let place = node.place(PROGRAM);
    plan.steps.push(Step::File {
        kept: kept(whose_program(&place), PROGRAM, &place),
        path: place,
        content,
        mode: 0o755,
        owner: None,
        what: "the program",
    });
    plan.steps.push(Step::FileIfAbsent {
        path: node.place(options.config.as_deref().unwrap_or(CONFIG)),
        content: SAMPLE.into(),
        what: "the configuration",
    });
    plan.steps.push(Step::Directory {
        path: node.path(SPECS),
        mode: 0o755,
    });
    let found = runtime_steps(target, runtime, &mut plan)?;
    way_steps(target, runtime, options, found, &mut plan)?;
    Ok(plan)
}

fn runtime_steps(target: &Target, runtime: InstalledRuntime, plan: &mut Plan) -> Result<Found, InstallError> {
    let node = &target.node;
    let format = match runtime {
        InstalledRuntime::Containerd17 => 2,
        InstalledRuntime::Containerd2 => 3,
        InstalledRuntime::Crio => {
            plan.steps
                .push(our_file(node, CRIO_DROP_IN, CRIO, "which switches NRI on"));
            return Ok(Found::default());
        }
    };
    let path = node.real(CONTAINERD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(InstallError::io("read", path)(error)),
    };
    let edited = importing(&text, format).map_err(|reason| InstallError::RuntimeFile {
        path: path.clone(),
        reason: prose(&reason),
        remedy: "imports = [\"/etc/containerd/conf.d/*.toml\"]".to_owned(),
    })?;
    let main = edited.as_deref().unwrap_or(&text);
    let drop_in = drop_in(node, runtime, main, target.way == Way::Systemd);
    plan.steps.push(our_file(
        node,
        CONTAINERD_DROP_IN,
        &drop_in.text,
        "which switches NRI on",
    ));
    let to_left = |kept: String| format!("{kept}: it stays in force, by {CONTAINERD_DROP_IN}");
    plan.left.extend(drop_in.kept.into_iter().map(to_left));
    if let Some(edited) = edited {
        plan.steps.push(edit(path, edited));
    }
    Ok(Found {
        socket: drop_in.socket.filter(|socket| socket != NRI_SOCKET),
        plugins: drop_in.plugins,
    })
}

/// A file of ours, in place of whatever is there.
fn our_file(node: &Node, name: &str, text: &str, what: &'static str) -> Step {
    let path = node.place(name);
    Step::File {
        kept: kept(whose_file(&path, Some(text)), name, &path),
        path,
        content: sealed(text).into(),
        mode: 0o644,
        owner: None,
        what,
    }
}

/// The runtime's own file, changed: whose it is and who may read it stays.
fn edit(path: PathBuf, text: String) -> Step {
    let there = path.metadata().ok();
    let directory = path.parent().unwrap_or(Path::new("/"));
    Step::File {
        kept: there.as_ref().map(|_| fresh_name(&path, directory)),
        mode: there
            .as_ref()
            .map_or(0o644, |file| file.permissions().mode() & 0o7777),
        owner: there.map(|file| (file.uid(), file.gid())),
        path,
        content: text.into(),
        what: "so that it imports drop-ins",
    }
}

/// Where what is there is to be kept, if it is somebody's.
fn kept(whose: Whose, name: &str, place: &Path) -> Option<PathBuf> {
    whose
        .is_to_be_kept()
        .then(|| fresh_name(place, &backup_directory(name, place)))
}

fn way_steps(
    target: &Target,
    runtime: InstalledRuntime,
    mut options: Options,
    found: Found,
    plan: &mut Plan,
) -> Result<(), InstallError> {
    let node = &target.node;
    let service = match runtime {
        InstalledRuntime::Crio => "crio",
        _ => "containerd",
    };
    let link = |name: &str, target: &str, what| {
        let path = node.place(name);
        Step::Link {
            kept: kept(whose_link(node, name, target), name, &path),
            path,
            target: target.into(),
            what,
        }
    };
    match target.way {
        Way::Systemd => {
            options.nri_socket = found.socket;
            plan.steps
                .push(our_file(node, UNIT, &options.unit()?, "the unit"));
            plan.steps
                .push(link(WANTED, UNIT, "which starts it with the node"));
            plan.afterwards.push("systemctl daemon-reload".into());
            plan.afterwards.push(format!("systemctl restart {service}"));
            plan.afterwards.push("systemctl start nri-oci-hooks".into());
        }
        Way::Launched => {
            let directory = found.plugins.unwrap_or_else(|| PLUGINS.to_owned());
            let name = format!("{}/{PLUGIN}", directory.trim_end_matches('/'));
            plan.steps
                .push(link(&name, PROGRAM, "which the runtime launches"));
            plan.afterwards.push(format!("systemctl restart {service}"));
        }
    }
    plan.afterwards.push("nri-oci-hooks doctor".into());
    Ok(())
}
