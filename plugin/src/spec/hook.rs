//! The types of a hook-spec that has been read and found well formed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Stage;

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

/// What the failure of a hook means to its container: our one extension of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// `"fail"`: what the stage says.
    #[default]
    Fail,
    /// `"ignore"`: it is recorded, and else treated as success.
    Ignore,
}

impl OnFailure {
    /// Whether it is what a hook without `onFailure` has.
    pub fn is_fail(&self) -> bool {
        *self == OnFailure::Fail
    }
}

/// How long a hook may run: whole seconds, at least 1 (iSulad's rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeout(NonZeroU32);

impl Timeout {
    /// What a hook without `timeout` gets: 30 seconds (iSulad's).
    pub const DEFAULT: Timeout = Timeout(NonZeroU32::new(30).unwrap());

    /// The longest: what still fits an `int` of the OCI runtimes.
    pub const MAX_SECONDS: u32 = i32::MAX as u32;

    /// A time-out of `seconds`; `None` unless it is between 1 and [`Timeout::MAX_SECONDS`].
    pub fn from_seconds(seconds: u32) -> Option<Timeout> {
        NonZeroU32::new(seconds)
            .filter(|s| s.get() <= Self::MAX_SECONDS)
            .map(Timeout)
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0.get()
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.get().into())
    }
}

/// A well-formed hook-spec: the hooks of each stage, in listed order. Written back as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HookSpec {
    /// Stages without hooks are absent.
    pub stages: BTreeMap<Stage, Vec<Hook>>,
}
