//! The types of a hook-spec that has been read and found well formed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{OnFailure, Stage, Timeout};

/// One program to run, as written in a hook-spec (iSulad's fields; OCI runtime-spec, config.md,
/// "POSIX-platform Hooks"). Written back as it is read, but for its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Absolute path of the program on the host.
    pub path: String,
    /// What the program gets as argv, `args[0]` included; `None` if the spec has no `args`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// The program's whole environment, `KEY=VALUE` each; `None` if the spec has no `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// How long it may run; `None` if the spec has no `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// What its failure means to the container; no field of iSulad's.
    #[serde(rename = "onFailure", skip_serializing_if = "OnFailure::is_fail")]
    pub on_failure: OnFailure,
    /// Line of the hook-spec file on which this hook begins, from 1.
    #[serde(skip)]
    pub line: usize,
}

/// A well-formed hook-spec: the hooks of each stage, in listed order. Written back as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HookSpec {
    /// Stages without hooks are absent.
    pub stages: BTreeMap<Stage, Vec<Hook>>,
}
