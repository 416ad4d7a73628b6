//! What a failed hook means to its container.

use serde::{Deserialize, Serialize};

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
