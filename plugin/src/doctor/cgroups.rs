//! The control groups that bound hooks.

use std::fs;
use std::io;

use super::examine::Examined;
use crate::model::{Stage, Timestamp, escaped, prose};
use crate::node::Finding;
use crate::process::cgroup::{Group, GroupName};

const CHECK: &str = "control-groups";

const REMEDY: &str =
    "mount control groups of version 2 at /sys/fs/cgroup, with the controllers pids, memory and cpu";

/// Checks whether hooks can have control groups of their own: creates one, and removes it.
pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Finding>) {
    if !examined.node.is_this_node() || !examined.config.needs_ledger() {
        return;
    }
    if is_in_a_pod() {
        let what = "the node's control groups cannot be seen from a pod; run this on the node to check them";
        return findings.push(Finding::note(CHECK, what));
    }
    let index = std::process::id() as usize;
    let name = GroupName::new("doctor", Stage::Prestart, index, Timestamp::now().unix_nanos());
    findings.extend(of_probe(Group::create(name, examined.config.limits)));
}

fn of_probe(made: io::Result<Group>) -> Vec<Finding> {
    let group = match made {
        Ok(group) => group,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let what = "only root can check whether hooks get control groups of their own";
            return vec![Finding::note(CHECK, what)];
        }
        Err(error) => {
            let what = format!(
                "cannot create control groups for hooks: {error}; a timeout kills their processes one by one, \
                 and limits have no effect"
            );
            return vec![Finding::warning(CHECK, what, REMEDY)];
        }
    };
    let usable = group.entrance();
    let parent = group.directories().find_map(|path| path.parent());
    let parent = escaped(&parent.unwrap_or("/".as_ref()).to_string_lossy()).to_string();
    let faults = group.faults().to_vec();
    group.remove();
    if let Err(error) = usable {
        let what = format!("cannot enter control groups in {parent}: {error}");
        return vec![Finding::warning(CHECK, what, REMEDY)];
    }
    if faults.is_empty() {
        let what = format!("each hook has a control group of its own in {parent}");
        return vec![Finding::good(CHECK, what)];
    }
    let warning = |fault: &String| Finding::warning(CHECK, format!("hooks: {}", prose(fault)), REMEDY);
    faults.iter().map(warning).collect()
}

/// Whether this process sees the control groups of a pod and not those of the node.
fn is_in_a_pod() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/cgroup")).ok();
    matches!((namespace("self"), namespace("1")), (Some(own), Some(first)) if own != first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HookLimits;
    use crate::node::Level;

    #[test]
    fn a_node_without_control_groups_is_warned_of() {
        let findings = of_probe(Err(io::ErrorKind::NotFound.into()));
        assert_eq!((findings.len(), findings[0].level), (1, Level::Warning));
    }

    #[test]
    fn a_node_that_has_all_limits_passes_and_the_probe_is_removed() {
        let name = GroupName::new("doctor", Stage::Prestart, 0, Timestamp::now().unix_nanos());
        let findings = of_probe(Group::create(name.clone(), HookLimits::default()));
        assert_eq!(findings[0].level, Level::Good, "{findings:?}");
        assert!(Group::find(name).is_none());
    }
}
