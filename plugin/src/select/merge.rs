//! From hook-specs to the hooks of a container, with every value filled in.

use std::sync::Arc;

use super::LoadedSpec;
use crate::model::{HookLimits, ResolvedHook, ResolvedHooks, Source, Timeout};
use crate::spec::Hook;

/// The environment of a hook without `env`: never the environment of the runner.
pub(crate) const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The hooks of `specs`: per stage, those of the first spec first, in listed order, nothing removed
/// (iSulad's rule).
pub(super) fn merge(
    specs: &[Arc<LoadedSpec>],
    default_timeout: Timeout,
    limits: HookLimits,
) -> ResolvedHooks {
    let mut resolved = ResolvedHooks::default();
    for spec in specs {
        for (stage, hooks) in &spec.spec().stages {
            let filled = hooks
                .iter()
                .enumerate()
                .map(|(index, hook)| fill(hook, default_timeout, limits, spec, index));
            resolved.stages.entry(*stage).or_default().extend(filled);
        }
    }
    resolved
}

fn fill(
    hook: &Hook,
    default_timeout: Timeout,
    limits: HookLimits,
    spec: &LoadedSpec,
    index: usize,
) -> ResolvedHook {
    let given = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    ResolvedHook {
        path: hook.path.clone(),
        pinned: spec.pin(&hook.path).map(str::to_owned),
        args: given(&hook.args).unwrap_or_else(|| vec![hook.path.clone()]),
        env: given(&hook.env).unwrap_or_else(|| vec![DEFAULT_PATH.to_owned()]),
        timeout: hook.timeout.unwrap_or(default_timeout),
        limits,
        on_failure: hook.on_failure,
        source: Source {
            file: spec.file().clone(),
            index,
            line: hook.line,
        },
    }
}
