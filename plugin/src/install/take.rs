//! The plan of taking the daemon away.

use std::fs;
use std::path::Path;

use super::backup::{backups, fresh_name};
use super::drop_in::drop_in;
use super::layout::{
    CONFIG, CONTAINERD, CONTAINERD_DROP_IN, CRIO_DROP_IN, PLUGIN, PLUGINS, PROGRAM, UNIT, WANTED,
    backup_directory,
};
use super::need::{self, Need};
use super::ours::{Whose, whose_file, whose_link, whose_program};
use super::{Plan, Step, Target};
use crate::doctor::{InstalledRuntime, Node};
use crate::model::{shown, shown_path};

/// What is to be changed so that the daemon is gone. The configuration, the hook-specs, the ledger
/// and the runtime's own file stay: they are the administrator's, and so is what `install` did not put
/// there. The program stays as long as a daemon runs, which would hand it to new containers, or
/// containers have hooks that it has yet to run, or that cannot be told.
pub fn uninstall(target: &Target) -> Plan {
    let mut plan = Plan::default();
    let node = &target.node;
    let unit = whose_file(&node.place(UNIT), None);
    // What starts a unit that stays has to stay.
    let wanted = match unit {
        Whose::Foreign => Whose::Foreign,
        _ => whose_link(node, WANTED, UNIT),
    };
    take(node, WANTED, wanted, "which starts it with the node", &mut plan);
    take(node, UNIT, unit, "the unit", &mut plan);
    for directory in plugin_directories(node) {
        let name = format!("{directory}/{PLUGIN}");
        let whose = whose_link(node, &name, PROGRAM);
        take(node, &name, whose, "which the runtime launches", &mut plan);
    }
    for name in [CONTAINERD_DROP_IN, CRIO_DROP_IN] {
        let whose = whose_file(&node.place(name), None);
        take(node, name, whose, "which switches NRI on", &mut plan);
    }
    let directories = program(target, &mut plan);
    let config = target.config.as_deref().unwrap_or(CONFIG);
    plan.left
        .push(format!("{} and the hook-specs: they are yours", shown(config)));
    let says = |directory: String| format!("{}: it says what containers got", shown(&directory));
    plan.left.extend(directories.into_iter().map(says));
    for name in [
        UNIT,
        WANTED,
        CONTAINERD,
        CONTAINERD_DROP_IN,
        CRIO_DROP_IN,
        PROGRAM,
    ] {
        let place = if name == CONTAINERD {
            node.real(name)
        } else {
            node.place(name)
        };
        tell_backups(&place, &backup_directory(name, &place), &mut plan);
    }
    plan.afterwards
        .push("systemctl stop nri-oci-hooks; systemctl daemon-reload".into());
    plan.afterwards
        .push("systemctl restart containerd   # or crio, so that NRI is as it was".into());
    plan
}

/// Takes the program away if nobody needs it. Returns the directories of the ledger.
fn program(target: &Target, plan: &mut Plan) -> Vec<String> {
    let again = "run nri-oci-hooks uninstall again";
    let (need, directories) = need::of(target);
    match need {
        Need::Nobody => {
            let whose = whose_program(&target.node.place(PROGRAM));
            take(&target.node, PROGRAM, whose, "the program", plan);
        }
        Need::Daemon => plan
            .left
            .push(format!("{PROGRAM}: the daemon runs; {again} when it has ended")),
        Need::Containers(count) => plan.left.push(format!(
            "{PROGRAM}: it has yet to run hooks of {count} containers; {again} when their pods are gone"
        )),
        Need::Unknown(why) => plan.left.push(format!(
            "{PROGRAM}: whether containers need it cannot be told: {why}; mend that, or name the directory of the \
             ledger with --state-dir, and {again}"
        )),
    }
    directories
}

/// Takes away what is ours. What somebody has made of it is kept; what is not ours stays.
fn take(node: &Node, name: &str, whose: Whose, what: &'static str, plan: &mut Plan) {
    let path = node.place(name);
    let kept = match whose {
        Whose::Nobodys | Whose::Ours => None,
        Whose::Changed => Some(fresh_name(&path, &backup_directory(name, &path))),
        Whose::Foreign => {
            if path.symlink_metadata().is_ok() {
                let why = "it was not put there by nri-oci-hooks install";
                plan.left.push(format!("{}: {why}", shown_path(&path)));
            }
            return;
        }
    };
    plan.steps.push(Step::Remove { path, kept, what });
}

/// The directories from which the runtime launches plugins, or may have done so.
fn plugin_directories(node: &Node) -> Vec<String> {
    let main = fs::read_to_string(node.path(CONTAINERD)).unwrap_or_default();
    let mut directories = vec![PLUGINS.to_owned()];
    for runtime in [InstalledRuntime::Containerd17, InstalledRuntime::Containerd2] {
        let directory = drop_in(node, runtime, &main, false).plugins;
        directories.extend(directory.map(|directory| directory.trim_end_matches('/').to_owned()));
    }
    directories.sort();
    directories.dedup();
    directories
}

fn tell_backups(place: &Path, directory: &Path, plan: &mut Plan) {
    for backup in backups(place, directory) {
        let what = format!(
            "{}: it is what was once {}; put it back, or remove it",
            shown_path(&backup),
            shown_path(place)
        );
        plan.left.push(what);
    }
}
