//! The effect of a failed hook on its container.

use serde::{Deserialize, Serialize};

/// The effect of a failed hook on its container: our one extension of the hook-spec format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// `"fail"`: the rule of the stage holds.
    #[default]
    Fail,
    /// `"ignore"`: the failure is recorded, and otherwise treated as success.
    Ignore,
}

impl OnFailure {
    /// Whether it is the default, for a hook without `onFailure`.
    pub(crate) fn is_fail(&self) -> bool {
        *self == OnFailure::Fail
    }
}
