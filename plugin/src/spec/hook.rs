//! The types of a valid hook-spec.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{OnFailure, Stage, Timeout};

/// One program to run, as written in a hook-spec (iSulad's fields; OCI runtime-spec, config.md,
/// "POSIX-platform Hooks"). It is written back as it was read, except its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Absolute path of the program on the host.
    pub(crate) path: String,
    /// The argv of the program, with `args[0]`; `None` if the spec has no `args`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) args: Option<Vec<String>>,
    /// The whole environment of the program, each `KEY=VALUE`; `None` if the spec has no `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<Vec<String>>,
    /// The maximum time that it may run; `None` if the spec has no `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Timeout>,
    /// The effect of its failure on the container; iSulad has no such field.
    #[serde(rename = "onFailure", skip_serializing_if = "OnFailure::is_fail")]
    pub(crate) on_failure: OnFailure,
    /// Line of the hook-spec file on which this hook begins, from 1.
    #[serde(skip)]
    pub line: usize,
}

/// A valid hook-spec: the hooks of each stage, in listed order. It is written back as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HookSpec {
    /// Stages without hooks are absent.
    pub stages: BTreeMap<Stage, Vec<Hook>>,
}
