//! The OCI state: what a runner gets on stdin, and what it gives to hooks (runtime-spec, runtime.md,
//! "State").

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ledger::{Created, Identity};
use crate::model::ContainerId;

/// The largest state that is read, in bytes. Annotations, its only part without limit of its own,
/// are bounded to 256 KiB by Kubernetes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The version of the runtime-spec.
    #[serde(rename = "ociVersion", default = "oci_version")]
    pub oci_version: String,
    /// The container's id.
    pub id: ContainerId,
    /// Where it is in its life: `creating`, `created`, `running`, `stopped`.
    pub status: String,
    /// Its init as the host counts; absent, or 0 with crun, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its bundle, an absolute path; empty if nobody told.
    #[serde(default)]
    pub bundle: String,
    /// Its annotations in the OCI spec.
    #[serde(default, deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
}

/// Who the container is, for its hooks: the same keys on every runtime.
pub(super) fn identity_annotations(identity: &Identity) -> [(String, String); 4] {
    [
        ("pod-name", &identity.pod),
        ("pod-namespace", &identity.namespace),
        ("pod-uid", &identity.uid),
        ("container-name", &identity.container),
    ]
    .map(|(key, value)| (format!("nri-oci-hooks.noderesource.dev/{key}"), value.clone()))
}

/// What is no state.
#[derive(Debug, Error)]
pub(super) enum StateError {
    /// It cannot be read.
    #[error("cannot read the container's state from stdin: {0}")]
    Unreadable(#[from] io::Error),
    /// It is too large.
    #[error("the container's state on stdin is larger than 16 MiB ({LARGEST} bytes)")]
    TooLarge,
    /// It is none.
    #[error("stdin holds no OCI state of a container: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl State {
    /// A state put together without an OCI runtime.
    pub fn new(id: ContainerId, status: &str, created: &Created) -> State {
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

    /// A file in memory that holds the state, to be read from its beginning. Unlike a pipe it holds
    /// a state of any size and needs nobody to feed it.
    ///
    /// # Errors
    /// The kernel lacks memory or descriptors.
    pub fn to_file(&self) -> io::Result<File> {
        let mut file = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }
}

/// The version of a state that is put together without an OCI runtime: what it holds is in all.
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
