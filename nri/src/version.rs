//! Versions of NRI.

use std::fmt;
use std::str::FromStr;

/// A version of NRI, as runtimes announce it from NRI 0.12 on, for instance `v0.12.2`.
///
/// A pre-release or build after the three numbers is accepted and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major version.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Patch level.
    pub patch: u32,
}

/// The version of NRI whose whole protocol this crate supports. The plugin registers with it.
pub const NRI_VERSION: Version = Version {
    major: 0,
    minor: 12,
    patch: 5,
};

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an NRI version; expected three numbers, like v0.12.5")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let numbers = numbers
            .split_once(['-', '+'])
            .map_or(numbers, |(numbers, _)| numbers);
        let mut parts = numbers.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Ok(Self { major, minor, patch }),
            _ => Err(VersionError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers_with_or_without_decoration() {
        for text in ["v0.12.5", "0.12.5", "v0.12.5-rc.1", "v0.12.5+unknown"] {
            assert_eq!(text.parse(), Ok(NRI_VERSION), "{text}");
        }
        for text in ["", "v", "0.12", "0.12.2.1", "a.b.c", "v0.12.-2", "unknown"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert_eq!(NRI_VERSION.to_string().parse(), Ok(NRI_VERSION));
    }

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("0.9.0") < version("0.12.0"));
        assert!(version("0.12.1") < version("0.12.2"));
    }
}
