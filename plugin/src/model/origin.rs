//! By what a container gets a hook-spec.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::model::shown;

/// A hook-spec that a container gets, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The file.
    pub file: Arc<str>,
    /// By what.
    #[serde(flatten)]
    pub by: Origin,
}

/// By what a container gets a hook-spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Origin {
    /// It is the default hook-spec, `hook_spec` of the configuration.
    Default,
    /// It is a file of hooks.d, in `hooks_dirs` of the configuration, and its conditions hold.
    HooksD,
    /// An annotation of the pod picks it.
    Annotation {
        /// Its key, with the scope.
        annotation: String,
        /// The element of its value.
        pick: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default hook-spec"),
            Origin::HooksD => f.write_str("hooks.d, conditions hold"),
            Origin::Annotation { annotation, pick } => {
                write!(f, "annotation {} picks {}", shown(annotation), shown(pick))
            }
        }
    }
}
