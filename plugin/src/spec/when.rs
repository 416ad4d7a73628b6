//! The conditions of a hooks.d file: for which containers its hook counts.

use super::Pattern;

/// The conditions under which a hook counts, as podman and CRI-O have them in hooks.d files of
/// version 1.0.0: all that are set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// `always`: holds if true.
    pub always: Option<bool>,
    /// `annotations`: for each pair, some annotation's key and value match the two patterns.
    pub annotations: Vec<(Pattern, Pattern)>,
    /// `commands`: the command matches one of the patterns.
    pub commands: Vec<Pattern>,
    /// `hasBindMounts`: holds if true and the container has some.
    pub has_bind_mounts: Option<bool>,
}

impl When {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == When::default()
    }
}
