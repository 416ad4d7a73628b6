//! Whether a pod may have its selection: the rules and limits of the configuration.

use std::iter;
use std::sync::Arc;

use super::{AnnotationFault, Deadline, LoadedSpec, SelectionFault};
use crate::config::{Annotation, Effect, Limits};
use crate::model::Timeout;

/// The names of the hook-spec at `path` by the rules: its path below each of `directories` that it is in, and
/// the path itself. The extension does not count.
pub(super) fn names<'p>(path: &'p str, directories: &[Arc<str>]) -> Vec<&'p str> {
    let path = path.trim_end_matches(".json");
    let below = directories
        .iter()
        .filter_map(|directory| path.strip_prefix(&**directory)?.strip_prefix('/'));
    below.chain(iter::once(path)).collect()
}

/// Whether a pod in `namespace` may select the hook-spec with these `names`. `real_names` are those of the
/// real file, if links lead to it. A rule that denies that file denies it by every name; a rule that allows
/// counts only for the selected name.
pub(super) fn permit(
    annotation: &Annotation,
    namespace: &str,
    names: &[&str],
    real_names: &[&str],
    deadline: Deadline,
) -> Result<(), SelectionFault> {
    let rules = &annotation.rules;
    let mut is_allowed = false;
    for (number, rule) in rules.iter().enumerate() {
        deadline.check().map_err(SelectionFault::Overdue)?;
        match rule.effect {
            Effect::Allow => is_allowed |= rule.matches(namespace, names),
            Effect::Deny if rule.matches(namespace, names) || rule.matches(namespace, real_names) => {
                return Err(SelectionFault::Denied {
                    namespace: namespace.to_owned(),
                    rule: number,
                });
            }
            Effect::Deny => {}
        }
    }
    if is_allowed || rules.is_empty() {
        return Ok(());
    }
    Err(SelectionFault::NotAllowed {
        namespace: namespace.to_owned(),
    })
}

/// Whether a selected hook-spec keeps the limits on its stages and timeouts.
pub(super) fn hold(
    limits: &Limits,
    spec: &LoadedSpec,
    default_timeout: Timeout,
) -> Result<(), SelectionFault> {
    for (stage, hooks) in &spec.spec().stages {
        if !limits.stages.contains(stage) {
            return Err(SelectionFault::StageNotAllowed {
                stage: *stage,
                allowed: limits.stages.iter().copied().collect(),
            });
        }
        let Some(max) = limits.max_timeout else { continue };
        for (index, hook) in hooks.iter().enumerate() {
            let timeout = hook.timeout.unwrap_or(default_timeout);
            if timeout > max {
                return Err(SelectionFault::TimeoutTooLong {
                    stage: *stage,
                    index,
                    line: hook.line,
                    timeout,
                    max,
                });
            }
        }
    }
    Ok(())
}

/// Whether the selected hook-specs of one container together keep the limit on their number of hooks.
pub(super) fn hold_together<'s>(
    limits: &Limits,
    specs: impl IntoIterator<Item = &'s LoadedSpec>,
) -> Result<(), AnnotationFault> {
    let Some(max) = limits.max_hooks else {
        return Ok(());
    };
    let count = specs
        .into_iter()
        .flat_map(|spec| spec.spec().stages.values())
        .map(Vec::len)
        .sum();
    if count > max.get() as usize {
        let max = max.get();
        return Err(AnnotationFault::TooManyHooks { count, max });
    }
    Ok(())
}
