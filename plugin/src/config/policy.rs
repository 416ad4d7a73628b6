//! Who may pick which hook-spec, and what a picked one may hold.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::Glob;
use super::model::Word;
use crate::model::{Stage, Timeout};

/// One of `[[annotation.rules]]`. Rules that deny count before rules that allow; where there are
/// rules, what none allows is refused; without a rule every namespace may pick every hook-spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionRule {
    /// `effect`: what becomes of a pick that the rule is about.
    pub effect: Effect,
    /// `namespaces`: of the pods it is about; every one if unset.
    pub namespaces: Option<Vec<Glob>>,
    /// `specs`: the hook-specs it is about; every one if unset.
    pub specs: Option<Vec<Glob>>,
}

impl SelectionRule {
    /// Whether the rule is about a pod in `namespace` that picks a hook-spec that goes by any of
    /// `names`.
    pub fn is_about(&self, namespace: &str, names: &[&str]) -> bool {
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

/// What becomes of a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `"allow"`: it is allowed unless another rule denies it.
    Allow,
    /// `"deny"`: it is refused, whatever another rule allows.
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

/// What hook-specs that a pod picks may hold. The default hook-spec is not held to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `max_timeout`: the longest that one of their hooks may run; any time if unset. A hook
    /// without `timeout` is held to it with the configured default.
    pub max_timeout: Option<Timeout>,
    /// `max_hooks`: how many hooks, over all stages, a container's picks may have together; any
    /// number if unset.
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
