//! Which pods may select which hook-specs, and the limits of those.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::Glob;
use super::model::Word;
use crate::model::{Stage, Timeout};

/// One of `[[annotation.rules]]`. Rules that deny take precedence over rules that allow. If there are rules,
/// a selection that none allows is refused; without a rule, every namespace may select every hook-spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SelectionRule {
    /// `effect`: the effect on a matching selection.
    pub(crate) effect: Effect,
    /// `namespaces`: the namespaces of the pods; every one if unset.
    pub(crate) namespaces: Option<Vec<Glob>>,
    /// `specs`: the hook-specs; every one if unset.
    pub(crate) specs: Option<Vec<Glob>>,
}

impl SelectionRule {
    /// Whether the rule matches a pod in `namespace` that selects a hook-spec with any of `names`.
    pub(crate) fn matches(&self, namespace: &str, names: &[&str]) -> bool {
        let any = |globs: &Option<Vec<Glob>>, texts: &[&str]| {
            globs.as_ref().is_none_or(|globs| {
                texts
                    .iter()
                    .any(|text| globs.iter().any(|glob| glob.matches(text)))
            })
        };
        any(&self.namespaces, &[namespace]) && any(&self.specs, names)
    }
}

/// The effect of a rule on a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// `"allow"`: it is allowed unless another rule denies it.
    Allow,
    /// `"deny"`: it is refused, whatever other rules allow.
    Deny,
}

impl Word for Effect {
    const WORDS: &'static [(&'static str, Self)] = &[("allow", Effect::Allow), ("deny", Effect::Deny)];
}

impl Word for Stage {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Stage::Prestart.key(), Stage::Prestart),
        (Stage::CreateRuntime.key(), Stage::CreateRuntime),
        (Stage::CreateContainer.key(), Stage::CreateContainer),
        (Stage::StartContainer.key(), Stage::StartContainer),
        (Stage::Poststart.key(), Stage::Poststart),
        (Stage::Poststop.key(), Stage::Poststop),
    ];
}

/// The limits of hook-specs that a pod selects. They do not apply to the default hook-spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `max_timeout`: the maximum timeout of each of their hooks; unlimited if unset. The configured default
    /// counts for a hook without `timeout`.
    pub max_timeout: Option<Timeout>,
    /// `max_hooks`: the maximum number of hooks, over all stages, that a container may select; unlimited if
    /// unset.
    pub max_hooks: Option<NonZeroU32>,
    /// `stages`: the stages that they may use; every one if unset.
    pub stages: BTreeSet<Stage>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_timeout: None,
            max_hooks: None,
            stages: Stage::ALL.into(),
        }
    }
}
