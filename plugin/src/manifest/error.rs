//! What can be wrong with a manifest.

use thiserror::Error;

use crate::model::shown;

/// What is wrong with a manifest. Displayed as what is wrong and what to do, without the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// More bytes than a manifest may have.
    #[error("is larger than {most} bytes; a manifest that Kubernetes takes is smaller")]
    TooLarge {
        /// How many it may have.
        most: usize,
    },
    /// No UTF-8.
    #[error("is not UTF-8 at byte {0}; save the file as UTF-8")]
    NotText(usize),
    /// No YAML, or no YAML that Kubernetes takes.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there, in printable ASCII.
        what: String,
    },
    /// Something else than an object of Kubernetes.
    #[error("holds no object of Kubernetes, or one without a kind; write one such as kind: Pod")]
    NoKind,
    /// An object that has something else than Kubernetes wants there.
    #[error("{object}: {field} must be {wanted}")]
    Shape {
        /// The object as it names itself.
        object: String,
        /// The path to the field.
        field: String,
        /// What stands there in an object that Kubernetes takes.
        wanted: &'static str,
    },
}

impl ManifestError {
    pub(super) fn shape(object: &str, field: &str, wanted: &'static str) -> ManifestError {
        ManifestError::Shape {
            object: shown(object).to_string(),
            field: shown(field).to_string(),
            wanted,
        }
    }
}
