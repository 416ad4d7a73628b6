//! From the bytes of a manifest to its objects.

use serde_json::Value;

use super::pods::{self, ManifestPod};
use super::{ManifestError, yaml};

/// How large a manifest may be, in bytes; what the API server takes is smaller.
pub const MAX_SIZE: usize = 4 * 1024 * 1024;

/// What a manifest describes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The pods, and those that its workloads will make, in the order of the text.
    pub pods: Vec<ManifestPod>,
    /// The objects that describe no pod, as `Kind/name`.
    pub others: Vec<String>,
}

/// Reads a manifest: YAML of any number of documents, or JSON. Of its objects these describe pods:
/// a Pod, every workload with a pod template (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job,
/// CronJob, and those of others that are built alike), and the items of a List.
///
/// Fails on what is no manifest. What Kubernetes would say to the rest of an object is not judged.
pub fn read(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MAX_SIZE {
        return Err(ManifestError::TooLarge { most: MAX_SIZE });
    }
    let text = str::from_utf8(bytes).map_err(|error| ManifestError::NotText(error.valid_up_to()))?;
    let mut manifest = Manifest::default();
    for document in documents(text)? {
        // An empty document, such as behind a last ---, is no object.
        if !document.is_null() {
            pods::collect(&document, None, &mut manifest)?;
        }
    }
    Ok(manifest)
}

fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    // JSON is YAML too, but its own reader knows all of it: tabs and keys of any length.
    if text.trim_start().starts_with('{')
        && let Ok(object) = serde_json::from_str(text)
    {
        return Ok(vec![object]);
    }
    yaml::documents(text)
}
