//! Hooks that are added to the container's OCI spec unchanged: all with `direct` delivery, and with any
//! delivery those that run in the container's namespaces.

use containerd_nri::api::{self, MessageField};
use containerd_nri::{Adjustment, MAX_MESSAGE};

use super::deliver::DeliveryError;
use super::mark::MARK_SIZE;
use super::nri_hooks::{list, to_nri_stage};
use crate::model::{ResolvedHook, Stage};

/// Adds the hooks of these `stages` to `adjustment`, which appends them to the container's hooks too, stage by stage in order.
///
/// Hooks that the container carries already, in this order, are left out. Another instance of this plugin
/// has added them (a rolling upgrade), perhaps with a hook-spec that has changed since.
pub(super) fn append<'a>(
    mut adjustment: Adjustment,
    stages: impl IntoIterator<Item = (&'a Stage, &'a Vec<ResolvedHook>)>,
    present: &api::Hooks,
) -> Result<Adjustment, DeliveryError> {
    let mut count = 0;
    for (stage, hooks) in stages {
        let mut present = list(present, *stage).iter();
        for hook in hooks.iter().map(to_nri) {
            let rest = present.clone();
            if present.any(|carried| *carried == hook) {
                continue;
            }
            present = rest;
            count += 1;
            adjustment = adjustment.hook(to_nri_stage(*stage), hook);
        }
    }
    match adjustment.encoded_len() + MARK_SIZE {
        bytes if bytes > MAX_MESSAGE => Err(DeliveryError::TooLarge { hooks: count, bytes }),
        _ => Ok(adjustment),
    }
}

fn to_nri(hook: &ResolvedHook) -> api::Hook {
    api::Hook {
        path: hook.path.clone(),
        args: hook.args.clone(),
        env: hook.env.clone(),
        timeout: MessageField::some(i64::from(hook.timeout.seconds()).into()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResolvedHooks;

    fn adjustment(resolved: &ResolvedHooks, present: &api::Hooks) -> Result<Adjustment, DeliveryError> {
        append(Adjustment::new(), &resolved.stages, present)
    }

    fn hook(args: &[&str]) -> ResolvedHook {
        ResolvedHook {
            args: args.iter().map(|arg| arg.to_string()).collect(),
            ..ResolvedHook::for_test("/bin/echo")
        }
    }

    fn resolved(stage: Stage, hooks: Vec<ResolvedHook>) -> ResolvedHooks {
        ResolvedHooks {
            stages: [(stage, hooks)].into(),
        }
    }

    #[test]
    fn every_stage_is_in_its_own_list_unchanged() {
        for stage in Stage::ALL {
            let adjustment = adjustment(
                &resolved(stage, vec![hook(&["a"]), hook(&["b"])]),
                &Default::default(),
            )
            .unwrap();
            let hooks = &adjustment.raw().hooks;
            for other in Stage::ALL {
                let expected = if other == stage { 2 } else { 0 };
                assert_eq!(list(hooks, other).len(), expected, "{stage} in {other}");
            }
            let first = &list(hooks, stage)[0];
            assert_eq!(
                (first.path.as_str(), &first.args[..]),
                ("/bin/echo", &["a".to_owned()][..])
            );
            assert_eq!(
                (&first.env[..], first.timeout.value),
                (&["A=b".to_owned()][..], 30)
            );
        }
    }

    #[test]
    fn a_container_that_carries_the_same_hooks_does_not_get_them_twice() {
        let resolved = resolved(Stage::Poststop, vec![hook(&["a"]), hook(&["b"])]);
        let once = adjustment(&resolved, &Default::default()).unwrap();
        let twice = adjustment(&resolved, &once.raw().hooks).unwrap();
        assert!(twice.raw().hooks.poststop.is_empty());
    }

    #[test]
    fn only_the_new_hooks_are_delivered_when_hooks_have_changed_meanwhile() {
        for (before, now, added) in [
            (&["a", "b"][..], &["a", "b", "c"][..], &["c"][..]),
            (&["a", "b", "c"], &["a", "c"], &[]),
            (&["a"], &["a", "a"], &["a"]),
            (&["a", "b"], &["x", "b"], &["x"]),
        ] {
            let hooks = |names: &[&str]| names.iter().map(|name| hook(&[name])).collect();
            let before = adjustment(&resolved(Stage::Prestart, hooks(before)), &Default::default()).unwrap();
            let now = adjustment(&resolved(Stage::Prestart, hooks(now)), &before.raw().hooks).unwrap();
            let delivered: Vec<&str> = now
                .raw()
                .hooks
                .prestart
                .iter()
                .map(|hook| &*hook.args[0])
                .collect();
            assert_eq!(delivered, added);
        }
    }

    #[test]
    fn hooks_that_only_resemble_those_of_another_are_delivered() {
        let theirs = adjustment(
            &resolved(Stage::Poststop, vec![hook(&["a"])]),
            &Default::default(),
        )
        .unwrap();
        let ours = adjustment(
            &resolved(Stage::Poststop, vec![hook(&["b"])]),
            &theirs.raw().hooks,
        )
        .unwrap();
        assert_eq!(ours.raw().hooks.poststop.len(), 1);
    }

    #[test]
    fn hooks_that_do_not_fit_one_message_are_an_error_that_says_so() {
        let big = "x".repeat(100 * 1024);
        let error = adjustment(
            &resolved(Stage::Prestart, vec![hook(&[&big]); 50]),
            &Default::default(),
        )
        .unwrap_err();
        assert!(
            error.to_string().starts_with("the container's 50 hooks take 5"),
            "{error}"
        );
    }
}
