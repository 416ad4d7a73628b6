//! The creation of a container, with the facts about its init.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{ProcessId, Program};

/// A container that its OCI runtime has created. From now on its poststop stage is pending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its init; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The program of init at that time: the OCI runtime's own, as long as the container has not been
    /// started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Its bundle, an absolute path on the host; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// The annotations in its OCI state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
