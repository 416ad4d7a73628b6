//! `runner` delivery: the OCI spec gets one hook per stage, which is the runner.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use containerd_nri::Adjustment;
use containerd_nri::api::{self, MessageField};

use super::lifecycle::Containers;
use super::nri_hooks::{list, to_nri_stage};
use crate::ledger::Trigger;
use crate::model::{ResolvedHooks, Stage};
use crate::runner::{COMMAND, Call, NAME};
use crate::select::DEFAULT_PATH;
use crate::system::knows_exit_codes;

/// The additional time of a runner beside that of its hooks: it may wait for init or for another runner.
const MARGIN: Duration = Duration::from_secs(10);

/// The adjustment with which the OCI runtime starts the runner of each stage that has hooks.
///
/// The daemon has to know init in two cases: it starts poststop where the OCI runtime does not delete a
/// container at its end, or poststop gets the exit code. In these cases the runner is started at prestart
/// too.
pub(super) fn adjustment(resolved: &ResolvedHooks, containers: &Containers) -> Adjustment {
    let (program, state_dir) = (containers.program(), containers.state_dir());
    let notes_exit = knows_exit_codes() && !resolved.stage(Stage::Poststop).is_empty();
    let first = (!containers.deletes_at_end() || notes_exit).then_some(Stage::Prestart);
    runners(resolved, first, program, state_dir)
}

fn runners(resolved: &ResolvedHooks, also: Option<Stage>, program: &Path, state_dir: &Path) -> Adjustment {
    let with_hooks = resolved.stages.iter().filter(|(_, hooks)| !hooks.is_empty());
    let runs = |stage: &Stage| match stage {
        // Its runner runs them directly after prestart.
        Stage::CreateRuntime => Stage::Prestart,
        stage => *stage,
    };
    let stages: BTreeSet<Stage> = with_hooks.map(|(stage, _)| runs(stage)).chain(also).collect();
    stages.iter().fold(Adjustment::new(), |adjustment, stage| {
        let call = Call {
            stage: *stage,
            state_dir: state_dir.into(),
            trigger: Trigger::Oci,
            enter_host: false,
        };
        let runner = api::Hook {
            path: program.to_string_lossy().into_owned(),
            args: call.arguments(),
            env: vec![DEFAULT_PATH.to_owned()],
            timeout: MessageField::some(limit(resolved, *stage).into()),
            ..Default::default()
        };
        adjustment.hook(to_nri_stage(*stage), runner)
    })
}

/// Whether the container carries a runner already: another instance of this plugin has added it (a rolling
/// upgrade), and has registered the container.
pub(super) fn carries_runner(hooks: &api::Hooks) -> bool {
    let is_runner = |hook: &api::Hook| matches!(hook.args.as_slice(), [name, word, ..] if name == NAME && word == COMMAND);
    Stage::STARTED
        .iter()
        .any(|stage| list(hooks, *stage).iter().any(is_runner))
}

/// The seconds after which the OCI runtime may kill a runner. poststop also waits for the unfinished work of
/// the stages before it.
fn limit(resolved: &ResolvedHooks, stage: Stage) -> i64 {
    let stages = match stage {
        Stage::Prestart => &Stage::BEFORE_START[..],
        Stage::Poststop => &Stage::OF_RUNNER[..],
        _ => std::slice::from_ref(&stage),
    };
    let hooks = stages.iter().flat_map(|stage| resolved.stage(*stage));
    let sum: u64 = hooks.map(|hook| u64::from(hook.timeout.seconds())).sum();
    // The largest value of an `int` in the OCI runtimes.
    i64::from(i32::try_from(sum + MARGIN.as_secs()).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ResolvedHook, Timeout};

    fn resolved(stages: &[(Stage, &[u32])]) -> ResolvedHooks {
        let hook = |seconds: &u32| ResolvedHook {
            timeout: Timeout::from_seconds(*seconds).unwrap(),
            ..ResolvedHook::for_test("/bin/a")
        };
        let stages = stages.iter();
        ResolvedHooks {
            stages: stages
                .map(|(stage, seconds)| (*stage, seconds.iter().map(hook).collect()))
                .collect(),
        }
    }

    #[test]
    fn each_stage_with_hooks_gets_one_runner_that_may_take_as_long_as_they_may() {
        let resolved = resolved(&[
            (Stage::Prestart, &[1, 2]),
            (Stage::Poststart, &[]),
            (Stage::Poststop, &[30, 30]),
        ]);
        let adjustment = runners(&resolved, None, Path::new("/usr/bin/x"), Path::new("/var/lib/x"));
        let hooks = &adjustment.raw().hooks;
        let [prestart] = hooks.prestart.as_slice() else {
            panic!("{hooks:?}")
        };
        assert_eq!(prestart.path, "/usr/bin/x");
        let args = ["nri-oci-hooks", "stage", "prestart", "--state-dir", "/var/lib/x"];
        assert_eq!(prestart.args, args);
        assert_eq!(prestart.env, [DEFAULT_PATH]);
        assert_eq!(prestart.timeout.value, 13);
        assert!(hooks.poststart.is_empty());
        assert_eq!(hooks.poststop[0].timeout.value, 73, "it waits for prestart");
    }

    #[test]
    fn create_runtime_is_the_prestart_runners_work() {
        let of_both = resolved(&[(Stage::Prestart, &[1]), (Stage::CreateRuntime, &[2])]);
        let of_one = resolved(&[(Stage::CreateRuntime, &[2])]);
        for (resolved, limit) in [(of_both, 13), (of_one, 12)] {
            let adjustment = runners(&resolved, None, Path::new("/usr/bin/x"), Path::new("/var/lib/x"));
            let hooks = &adjustment.raw().hooks;
            assert_eq!((hooks.prestart.len(), hooks.create_runtime.len()), (1, 0));
            assert_eq!(hooks.prestart[0].timeout.value, limit);
        }
    }

    #[test]
    fn a_limit_fits_the_integer_of_every_oci_runtime() {
        let max = Timeout::MAX_SECONDS;
        let resolved = resolved(&[(Stage::Prestart, &[max, max])]);
        assert_eq!(limit(&resolved, Stage::Prestart), i64::from(i32::MAX));
    }

    #[test]
    fn a_runner_is_recognised_at_any_path_and_nothing_else_is_taken_for_one() {
        let resolved = resolved(&[(Stage::Poststop, &[1])]);
        let ours = runners(&resolved, None, Path::new("/opt/other/x"), Path::new("/a"));
        assert!(carries_runner(&ours.raw().hooks));
        let mut hooks = ours.raw().hooks.clone().unwrap();
        hooks.poststop[0].args = vec!["nri-oci-hooks".into(), "check".into()];
        assert!(!carries_runner(&hooks));
        assert!(!carries_runner(&api::Hooks::new()));
    }
}
