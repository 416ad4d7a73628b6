//! That a container was created, and what is to be known of its init.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{ProcessId, Program};

/// A container that its OCI runtime has created: from here on a poststop is owed to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its init; absent if nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// What its init executed then: the OCI runtime's own program, as long as the container
    /// has not been started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Its bundle, an absolute path on the host; absent if nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// The annotations that its OCI state has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
