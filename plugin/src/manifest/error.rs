//! The errors of a manifest.

use thiserror::Error;

use crate::model::escaped;

/// An error of a manifest. Displayed as message and hint, without the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The manifest is too large.
    #[error("is larger than {most} bytes; a manifest that Kubernetes accepts is smaller")]
    TooLarge {
        /// The maximum size in bytes.
        most: usize,
    },
    /// Not UTF-8.
    #[error("is not UTF-8 at byte {0}; save the file as UTF-8")]
    NotText(usize),
    /// Not YAML, or not YAML that Kubernetes accepts.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The error there, in printable ASCII.
        what: String,
    },
    /// A value that is not an object of Kubernetes.
    #[error("has no Kubernetes object, or one without kind; add a line such as kind: Pod")]
    NoKind,
    /// An object with an invalid field.
    #[error("{object}: {field} must be {wanted}")]
    Shape {
        /// The kind and name of the object.
        object: String,
        /// The path to the field.
        field: String,
        /// The value that Kubernetes accepts there.
        wanted: &'static str,
    },
}

impl ManifestError {
    pub(super) fn shape(object: &str, field: &str, wanted: &'static str) -> ManifestError {
        ManifestError::Shape {
            object: escaped(object).to_string(),
            field: escaped(field).to_string(),
            wanted,
        }
    }
}
