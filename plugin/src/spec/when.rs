//! The conditions of a hooks.d file, which select the containers that get its hook.

use super::Pattern;

/// The conditions of a hook, as in the hooks.d files of podman and CRI-O, version 1.0.0. All that are set
/// must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// `always`: holds if true.
    pub always: Option<bool>,
    /// `annotations`: for each pair, some annotation's key and value match the two patterns.
    pub annotations: Vec<(Pattern, Pattern)>,
    /// `commands`: the command matches one of the patterns.
    pub commands: Vec<Pattern>,
    /// `hasBindMounts`: holds if true and the container has bind mounts.
    pub has_bind_mounts: Option<bool>,
}

impl When {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == When::default()
    }
}
