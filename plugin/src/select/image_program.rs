//! Programs from an image: each version is in a directory named by its digest, and a link leads to the current one.

use std::fmt;
use std::io::Read;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::model::{escaped, one_line};
use crate::trust::{TrustedDir, TrustedFile};

/// The start of the name of a version's directory; 64 hexadecimal digits follow.
pub(crate) const DIGEST_PREFIX: &str = "sha256-";

/// The file in a version's directory that names its image. No file of an image begins with a dot.
pub(crate) const REFERENCE: &str = ".image";

/// The maximum length of the reference of an image.
pub(crate) const MAX_REFERENCE: usize = 1024;

/// A program from an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageProgram {
    /// The file, without links on the way.
    pub(crate) program: String,
    /// The image's name on the node: the name of the directory with its versions.
    pub(crate) name: String,
    /// The image's reference, from the DaemonSet; absent if a package has created the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    /// The digest of the version's content.
    pub(crate) digest: String,
}

impl ImageProgram {
    /// The program at `real`, a path without links; `None` if it is in no version's directory.
    pub(crate) fn at(real: &str) -> Option<ImageProgram> {
        let directory = version_directory(Path::new(real))?;
        let name = directory.parent()?.file_name()?.to_string_lossy().into_owned();
        let digest = directory.file_name()?.to_str()?.replacen('-', ":", 1);
        Some(ImageProgram {
            program: real.to_owned(),
            name,
            image: reference(directory),
            digest,
        })
    }
}

impl fmt::Display for ImageProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}", escaped(&self.name))?;
        if let Some(image) = &self.image {
            write!(f, ", {}", one_line(image))?;
        }
        write!(f, ", {}", self.digest)
    }
}

/// The directory of the version that `real` is in, a path without links.
pub(crate) fn version_directory(real: &Path) -> Option<&Path> {
    let mut directories = real.ancestors().skip(1);
    directories.find(|directory| matches!(directory.components().next_back(), Some(Component::Normal(name)) if is_version(&name.to_string_lossy())))
}

/// Whether a directory of this name holds a version.
pub(crate) fn is_version(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = name.strip_prefix(DIGEST_PREFIX);
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_digit))
}

/// The image of the version in `directory`. It is only for people, so a fault counts as none.
pub(crate) fn reference(directory: &Path) -> Option<String> {
    TrustedDir::at(directory).ok()?.unshared().ok()?;
    let file = TrustedFile::to_read(&directory.join(REFERENCE))
        .ok()?
        .open()
        .ok()?;
    let mut text = String::new();
    file.take(MAX_REFERENCE as u64).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_of_an_image_if_a_directory_above_it_is_named_by_a_digest() {
        let digits = "0123456789abcdef".repeat(4);
        let root = format!("/images/gpu/sha256-{digits}");
        for (path, is_of_one) in [
            (format!("{root}/hook"), true),
            (format!("{root}/bin/hook"), true),
            (root.clone(), false),
            (format!("{root}0/hook"), false),
            (
                format!("/images/gpu/sha256-{}/hook", digits.to_uppercase()),
                false,
            ),
            ("/images/gpu/current/hook".to_owned(), false),
            ("hook".to_owned(), false),
        ] {
            let found = ImageProgram::at(&path);
            assert_eq!(found.is_some(), is_of_one, "{path}");
            if let Some(found) = found {
                assert_eq!(found.to_string(), format!("image gpu, sha256:{digits}"));
            }
        }
    }
}
