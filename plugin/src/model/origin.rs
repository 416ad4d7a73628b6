//! The reason why a container gets a hook-spec.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::model::escaped;

/// A hook-spec that a container gets, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The file of the hook-spec.
    pub file: Arc<str>,
    /// The reason.
    #[serde(flatten)]
    pub(crate) by: Origin,
}

/// The reason why a container gets a hook-spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// The file is the default hook-spec, `hook_spec` of the configuration.
    Default,
    /// The file is in one of the `hooks_dirs` of the configuration, and its conditions hold.
    HooksD,
    /// An annotation of the pod selects the file.
    Annotation {
        /// The key of the annotation, with its scope.
        annotation: String,
        /// The element of the annotation's value.
        selected: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default hook-spec"),
            Origin::HooksD => f.write_str("hooks.d, conditions hold"),
            Origin::Annotation { annotation, selected } => {
                write!(
                    f,
                    "annotation {} selects {}",
                    escaped(annotation),
                    escaped(selected)
                )
            }
        }
    }
}
