//! The plan of taking the daemon away.

use std::path::Path;

use super::layout::{CONFIG, CONTAINERD_DROP_IN, CRIO_DROP_IN, PLUGIN, PROGRAM, UNIT, WANTED};
use super::{Plan, Step, Target};
use crate::config::{Config, Overrides};
use crate::ledger::Ledger;
use crate::observe::ask;

/// What is to be changed so that the daemon is gone. The configuration, the hook-specs, the ledger
/// and the runtime's own file stay: they are the administrator's. The program stays as long as a
/// daemon runs, which would hand it to new containers, or containers have hooks that it has yet to
/// run.
pub fn uninstall(target: &Target) -> Plan {
    let mut plan = Plan::default();
    for (path, what) in [
        (WANTED, "which starts it with the node"),
        (UNIT, "the unit"),
        (PLUGIN, "which the runtime launches"),
        (CONTAINERD_DROP_IN, "which switches NRI on"),
        (CRIO_DROP_IN, "which switches NRI on"),
    ] {
        plan.steps.push(Step::Remove {
            path: target.path(path),
            what,
        });
    }
    let config = target.path(CONFIG);
    let config = Config::from_file(&config.to_string_lossy(), &Overrides::default()).unwrap_or_default();
    let containers = containers_with_hooks(target, &config);
    let runs = target.node.is_live() && ask(Path::new(&*config.state_dir)).is_ok();
    let again = "run nri-oci-hooks uninstall again";
    if runs {
        plan.left
            .push(format!("{PROGRAM}: the daemon runs; {again} when it has ended"));
    } else if containers > 0 {
        plan.left.push(format!(
            "{PROGRAM}: it has yet to run hooks of {containers} containers; {again} when their pods are gone"
        ));
    } else {
        plan.steps.push(Step::Remove {
            path: target.path(PROGRAM),
            what: "the program",
        });
    }
    plan.left
        .push(format!("{CONFIG} and the hook-specs: they are yours"));
    plan.left
        .push(format!("{}: it says what containers got", config.state_dir));
    plan.afterwards
        .push("systemctl stop nri-oci-hooks; systemctl daemon-reload".into());
    plan.afterwards
        .push("systemctl restart containerd   # or crio, so that NRI is as it was".into());
    plan
}

/// How many containers that were not removed have hooks in the ledger.
fn containers_with_hooks(target: &Target, config: &Config) -> usize {
    let ledger = Ledger::open(&target.path(&config.state_dir));
    ledger
        .and_then(|ledger| ledger.live())
        .map_or(0, |live| live.len())
}
