//! Hook programs that reach the host in images of a pod.

mod error;
mod hand_over;
mod needs;
mod prune;
mod store;
mod tree;

pub(crate) use error::ImageError;
pub(crate) use hand_over::{hand_over_files, hand_over_program};
pub(crate) use needs::Needs;
pub(crate) use store::HookImages;

/// The default directory of the images on the host: each image is in a directory of its name.
pub(crate) const IMAGES: &str = "/usr/local/lib/nri-oci-hooks/images";

/// The directory of an image that is handed over.
pub(crate) const HOOKS: &str = "/hooks";

/// The link to the version that hook-specs name.
const CURRENT: &str = "current";

#[cfg(test)]
mod tests;
