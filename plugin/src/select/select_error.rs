//! The reason why the hooks of a container cannot be determined.

use std::sync::Arc;

use thiserror::Error;

use super::{AnnotationFault, LoadedSpec, NotDeliverable, Overdue, SelectionFault, Subject};
use crate::diagnostic::Diagnostic;
use crate::model::{bounded_list, escaped};

/// The reason why a container's hooks cannot be determined. Displayed as one line of at most about 1 kB, for
/// readers of `kubectl describe pod`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectError {
    /// The default hook-spec is invalid.
    #[error("default hook-spec {}: {}", escaped(.file), bounded_list(.errors))]
    DefaultSpec {
        /// The file.
        file: Arc<str>,
        /// Its errors.
        errors: Vec<Diagnostic>,
    },
    /// The hooks of hooks.d are unknown.
    #[error("hooks.d {}: {}", escaped(.path), bounded_list(.errors))]
    HooksD {
        /// The directory or file.
        path: Arc<str>,
        /// The errors.
        errors: Vec<Diagnostic>,
    },
    /// An annotation of ours is invalid.
    #[error("annotation {}: {fault}", escaped(.annotation))]
    Annotation {
        /// Its key, with the scope.
        annotation: String,
        /// The fault.
        fault: AnnotationFault,
    },
    /// The annotation selects a hook-spec that the pod does not get.
    #[error("annotation {}: {}: {fault}", escaped(.annotation), escaped(.element))]
    Selection {
        /// Its key, with the scope.
        annotation: String,
        /// The element of its value.
        element: String,
        /// The fault.
        fault: SelectionFault,
    },
    /// The selected hook-spec is invalid.
    #[error("annotation {}: hook-spec {}: {}", escaped(.annotation), escaped(.element), bounded_list(.errors))]
    SelectedSpec {
        /// Its key, with the scope.
        annotation: String,
        /// The element of its value.
        element: String,
        /// Its errors.
        errors: Vec<Diagnostic>,
    },
    /// Its delivery cannot run a hook-spec or hooks.d file of the container.
    #[error(transparent)]
    NotDeliverable(#[from] NotDeliverable),
    /// Checking the conditions of a hooks.d file for the pod takes too long.
    #[error(
        "hooks.d file {}: matching the pod's {annotations} annotations ({bytes} bytes) {why}; give the pod fewer or \
         shorter annotations",
        escaped(.file)
    )]
    Conditions {
        /// The file at which the deadline passed.
        file: Arc<str>,
        /// The number of the pod's annotations.
        annotations: usize,
        /// Their total length.
        bytes: usize,
        /// The reason.
        why: Overdue,
    },
}

impl SelectError {
    pub(super) fn conditions(spec: &LoadedSpec, subject: &Subject<'_>, why: Overdue) -> SelectError {
        let annotations = subject.annotations;
        SelectError::Conditions {
            file: spec.file().clone(),
            annotations: annotations.len(),
            bytes: annotations
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum(),
            why,
        }
    }
}
