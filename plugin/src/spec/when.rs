//! The conditions of a hooks.d file, which select the containers that get its hook.

use super::Pattern;

/// The conditions of a hook, as in the hooks.d files of podman and CRI-O, version 1.0.0. All that are set
/// must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct When {
    /// `always`: holds if true.
    pub(crate) always: Option<bool>,
    /// `annotations`: for each pair, some annotation's key and value match the two patterns.
    pub(crate) annotations: Vec<(Pattern, Pattern)>,
    /// `commands`: the command matches one of the patterns.
    pub(crate) commands: Vec<Pattern>,
    /// `hasBindMounts`: holds if true and the container has bind mounts.
    pub(crate) has_bind_mounts: Option<bool>,
}

impl When {
    /// Whether no condition is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == When::default()
    }
}
