//! The OCI state: the runner's stdin, and the stdin of its hooks (runtime-spec, runtime.md, "State").

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ledger::{Created, Identity};
use crate::model::ContainerId;

/// The maximum size of a state, in bytes. Annotations are its only unbounded part; Kubernetes bounds them to
/// 256 KiB.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The version of the runtime-spec.
    #[serde(rename = "ociVersion", default = "oci_version")]
    pub(crate) oci_version: String,
    /// The container's id.
    pub(crate) id: ContainerId,
    /// The point in its life: `creating`, `created`, `running`, `stopped`.
    pub(crate) status: String,
    /// Its init as numbered on the host; absent, or 0 with crun, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<i32>,
    /// Its bundle, an absolute path; empty if unknown.
    #[serde(default)]
    pub(crate) bundle: String,
    /// Its annotations in the OCI spec.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// The identity of the container for its hooks: the same keys on every runtime.
pub(super) fn identity_annotations(identity: &Identity) -> [(String, String); 4] {
    [
        ("pod-name", &identity.pod),
        ("pod-namespace", &identity.namespace),
        ("pod-uid", &identity.uid),
        ("container-name", &identity.container),
    ]
    .map(|(key, value)| (format!("nri-oci-hooks.noderesource.dev/{key}"), value.clone()))
}

/// The annotation with the exit code of init, in poststop.
pub(super) const EXIT_CODE: &str = "nri-oci-hooks.noderesource.dev/exit-code";

/// The reason why stdin is not a state.
#[derive(Debug, Error)]
pub(super) enum StateError {
    /// It cannot be read.
    #[error("cannot read the container's state from stdin: {0}")]
    Unreadable(#[from] io::Error),
    /// It is too large.
    #[error("the container's state on stdin is larger than 16 MiB ({LARGEST} bytes)")]
    TooLarge,
    /// It is not a state.
    #[error("stdin holds no OCI state of a container: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl State {
    /// A state without an OCI runtime.
    pub(crate) fn new(id: ContainerId, status: &str, created: &Created) -> State {
        State {
            oci_version: oci_version(),
            id,
            status: status.into(),
            pid: created.process.map(|process| process.pid),
            bundle: created.bundle.clone().unwrap_or_default(),
            annotations: created.annotations.clone(),
        }
    }

    /// Reads a state.
    pub(super) fn read(from: impl Read) -> Result<State, StateError> {
        let mut bytes = Vec::new();
        from.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(StateError::TooLarge);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// A file in memory with the state, to be read from its beginning. Unlike a pipe, it holds a state of any
    /// size and needs no writer.
    ///
    /// # Errors
    /// The kernel lacks memory or descriptors.
    pub(crate) fn to_file(&self) -> io::Result<File> {
        let mut file = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }
}

/// The version of a state without an OCI runtime; its members exist in all versions.
fn oci_version() -> String {
    "1.0.2".into()
}

/// Go writes an empty map as `null`.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
