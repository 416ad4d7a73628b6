//! The release of a program.

use std::fmt;
use std::str::FromStr;

use crate::runner::NAME;

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u64; 3]);

impl Version {
    /// The release of this program.
    pub(super) fn ours() -> Option<Version> {
        format!("{NAME} {}", env!("CARGO_PKG_VERSION")).parse().ok()
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    /// Reads the output of `--version`.
    fn from_str(printed: &str) -> Result<Version, NotAVersion> {
        let version = printed
            .trim_end()
            .strip_prefix(NAME)
            .and_then(|rest| rest.strip_prefix(' '));
        // Text after a hyphen or a plus marks a pre-release or a build (semver.org).
        let version = version.and_then(|text| text.split(['-', '+']).next());
        let parts: Option<Vec<u64>> =
            version.and_then(|text| text.split('.').map(|part| part.parse().ok()).collect());
        let parts = parts.and_then(|parts| parts.try_into().ok());
        parts.map(Version).ok_or(NotAVersion)
    }
}

/// A text that no release of this program prints.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAVersion;

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it does not print its version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_by_their_numbers_and_nothing_else_is_one() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("nri-oci-hooks 0.9.10\n").unwrap() > version("nri-oci-hooks 0.9.9").unwrap());
        assert!(version("nri-oci-hooks 1.0.0-rc.1").unwrap() > version("nri-oci-hooks 0.99.0").unwrap());
        assert!(Version::ours().is_some());
        for text in [
            "",
            "nri-oci-hooks",
            "nri-oci-hooks 1.0",
            "nri-oci-hooks 1.0.x",
            "other 1.0.0",
        ] {
            assert_eq!(version(text), Err(NotAVersion), "{text}");
        }
    }
}
