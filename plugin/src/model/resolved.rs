//! The result of selection: the hooks of one container, resolved once and never changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{HookLimits, OnFailure, Stage, Timeout};

/// The hooks of one container as resolved when it is created. The default hooks come first, then the
/// container's own, per stage in listed order; nothing is removed (iSulad's rule).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResolvedHooks {
    /// Stages without hooks are absent.
    pub stages: BTreeMap<Stage, Vec<ResolvedHook>>,
}

impl ResolvedHooks {
    /// Whether the container gets no hook at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.stages.values().all(Vec::is_empty)
    }

    /// The hooks of the stages that do not run in the container's namespaces.
    pub(crate) fn outside_container(&self) -> Cow<'_, ResolvedHooks> {
        if !self.stages.keys().any(|stage| stage.is_in_container()) {
            return Cow::Borrowed(self);
        }
        let mut outside = self.clone();
        outside.stages.retain(|stage, _| !stage.is_in_container());
        Cow::Owned(outside)
    }

    /// The hooks of one stage, in order.
    pub(crate) fn stage(&self, stage: Stage) -> &[ResolvedHook] {
        self.stages.get(&stage).map_or(&[], Vec::as_slice)
    }
}

/// One hook with every value filled in: the runner adds no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedHook {
    /// Absolute path of the program on the host.
    pub path: String,
    /// The program itself, if `path` leads to it through a link that may change to another version. The container
    /// stays with the version at its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// argv; never empty (`[path]` if the spec has none).
    pub args: Vec<String>,
    /// The whole environment; never empty (a fixed `PATH` if the spec has none).
    pub env: Vec<String>,
    /// The time after which the hook and all processes that it started are killed.
    pub timeout: Timeout,
    /// The share of the node that it may use; earlier releases wrote none.
    #[serde(default)]
    pub limits: HookLimits,
    /// The effect of its failure on the container.
    #[serde(default, skip_serializing_if = "OnFailure::is_fail")]
    pub on_failure: OnFailure,
    /// The place that it comes from.
    pub source: Source,
}

impl ResolvedHook {
    /// The path to execute.
    pub(crate) fn program(&self) -> &str {
        self.pinned.as_deref().unwrap_or(&self.path)
    }
}

#[cfg(test)]
impl ResolvedHook {
    /// A hook for tests: `path`, from line 3 of `/etc/hooks.json`.
    pub(crate) fn for_test(path: &str) -> ResolvedHook {
        ResolvedHook {
            path: path.into(),
            pinned: None,
            args: vec![path.into()],
            env: vec!["A=b".into()],
            timeout: Timeout::DEFAULT,
            limits: HookLimits::default(),
            on_failure: OnFailure::default(),
            source: Source {
                file: Arc::from("/etc/hooks.json"),
                index: 0,
                line: 3,
            },
        }
    }
}

/// The place that a resolved hook comes from, for messages and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The hook-spec file.
    pub file: Arc<str>,
    /// Index of the hook in its stage's list of that file, from 0.
    pub index: usize,
    /// Line of that file on which the hook begins, from 1.
    pub line: usize,
}
