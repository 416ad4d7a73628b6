//! From the bytes of a manifest to its objects.

use serde_json::Value;

use super::pods::{self, ManifestPod};
use super::{ManifestError, yaml};

/// The maximum size of a manifest, in bytes; the API server accepts less.
pub(crate) const MAX_SIZE: usize = 4 * 1024 * 1024;

/// The content of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The pods, and those of its workloads, in the order of the text.
    pub pods: Vec<ManifestPod>,
    /// The objects that are or have no pod, as `Kind/name`.
    pub(crate) others: Vec<String>,
}

/// Reads a manifest: YAML with any number of documents, or JSON. These objects have pods: a Pod, every
/// workload with a pod template, and the items of a List. Workloads are Deployment, StatefulSet, DaemonSet,
/// ReplicaSet, Job, CronJob, and kinds of others with the same fields.
///
/// Fails if it is not a manifest. The rest of an object is not validated.
pub fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MAX_SIZE {
        return Err(ManifestError::TooLarge { most: MAX_SIZE });
    }
    let text = str::from_utf8(bytes).map_err(|error| ManifestError::NotText(error.valid_up_to()))?;
    let mut manifest = Manifest::default();
    for document in documents(text)? {
        // An empty document, such as after a last ---, is not an object.
        if !document.is_null() {
            pods::collect(&document, None, &mut manifest)?;
        }
    }
    Ok(manifest)
}

fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    // JSON is YAML too, but its own reader accepts all of it: tabs and keys of any length.
    if text.trim_start().starts_with('{')
        && let Ok(object) = serde_json::from_str(text)
    {
        return Ok(vec![object]);
    }
    yaml::documents(text)
}
