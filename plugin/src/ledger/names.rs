//! Tags of names. The names of files have them, so that the containers of one pod are found among thousands
//! without reading the others.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Identity, Ledger};
use crate::model::ContainerId;

pub(super) const NAMES: &str = "names";

/// The number of digits of a tag.
const TAG: usize = 5;

/// A tag of the name: other names rarely have the same.
fn tag(name: &str) -> String {
    let sum = Sha256::digest(name.as_bytes());
    let number = u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]);
    format!("{:05}", number % 100_000)
}

/// The tags of a container: of its pod's name, and of its own.
pub(super) fn tags(identity: &Identity) -> String {
    tag(&identity.pod) + &tag(&identity.container)
}

/// Whether a container with these tags may have this name, or its pod.
pub(super) fn may_be_called(tags: &str, name: &str) -> bool {
    let tag = tag(name);
    tags.as_bytes().chunks(TAG).any(|found| found == tag.as_bytes())
}

/// The tags of the containers that have not been removed. Some may be missing.
#[derive(Debug, Default)]
pub struct Names(HashMap<ContainerId, String>);

impl Names {
    /// Whether the container or its pod may have this name.
    pub fn may_be_called(&self, id: &ContainerId, name: &str) -> bool {
        self.0.get(id).is_none_or(|tags| may_be_called(tags, name))
    }
}

impl Ledger {
    /// The tags of the containers that have not been removed. An earlier release has written none.
    pub fn names(&self) -> Names {
        let listed = fs::read_dir(self.root().join(NAMES)).into_iter().flatten();
        let names = listed.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let parsed = names.filter_map(|name| {
            let (tags, id) = name.split_once('-')?;
            Some((id.parse().ok()?, tags.to_owned()))
        });
        Names(parsed.collect())
    }

    /// Notes the tags of a container. Without them it is only found more slowly.
    pub(super) fn note_names(&self, identity: &Identity) {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let _ = options.open(self.names_path(&identity.id, &tags(identity)));
    }

    /// Removes that note. Call this before the container is archived, so that no note outlives it.
    pub(super) fn forget_names(&self, id: &ContainerId, identity: Option<&Identity>) {
        let noted = || self.names().0.remove(id);
        if let Some(tags) = identity.map(tags).or_else(noted) {
            let _ = fs::remove_file(self.names_path(id, &tags));
        }
    }

    fn names_path(&self, id: &ContainerId, tags: &str) -> PathBuf {
        self.root().join(NAMES).join(format!("{tags}-{id}"))
    }
}
