//! The NRI version of a runtime that does not announce it: from its name and its own version.

use crate::version::Version;

/// The first release of containerd for each version of NRI: both as major, minor and patch.
const CONTAINERD: &[(Numbers, Numbers)] = &[
    ((1, 7, 0), (0, 3, 0)),
    ((1, 7, 7), (0, 4, 0)),
    ((1, 7, 14), (0, 6, 0)),
    ((1, 7, 16), (0, 6, 1)),
    ((1, 7, 26), (0, 8, 0)),
    ((2, 2, 0), (0, 10, 0)),
    ((2, 2, 1), (0, 11, 0)),
    ((2, 3, 0), (0, 12, 0)),
];

/// The same for CRI-O.
const CRI_O: &[(Numbers, Numbers)] = &[
    ((1, 26, 0), (0, 2, 0)),
    ((1, 27, 0), (0, 3, 0)),
    ((1, 29, 0), (0, 5, 0)),
    ((1, 29, 2), (0, 6, 0)),
    ((1, 31, 0), (0, 6, 1)),
    ((1, 32, 0), (0, 9, 0)),
    ((1, 34, 0), (0, 10, 0)),
    ((1, 35, 0), (0, 11, 0)),
    ((1, 37, 0), (0, 12, 0)),
];

type Numbers = (u32, u32, u32);

/// The version of NRI in a release of a runtime. `None` for an unknown runtime or version, such as
/// `0.0.0-unknown` or `(devel)`.
pub(crate) fn nri_version(runtime: &str, version: &str) -> Option<Version> {
    let releases = match runtime {
        "containerd" => CONTAINERD,
        "cri-o" => CRI_O,
        _ => return None,
    };
    let (release, is_before) = parse(version)?;
    let latest = releases
        .iter()
        .rfind(|(since, _)| *since < release || (*since == release && !is_before));
    let (major, minor, patch) = latest?.1;
    Some(Version { major, minor, patch })
}

/// The numbers of a runtime's version, and whether it precedes the release with these numbers, as
/// `2.2.0-rc.1` does. A description by git, `2.2.0-225-ge9dc15b7a`, follows it; so do distributions' builds,
/// `1.7.24~ds1`.
fn parse(version: &str) -> Option<(Numbers, bool)> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.find(['-', '+', '~']).unwrap_or(version.len());
    let (numbers, suffix) = version.split_at(end);
    let mut numbers = numbers.split('.').map(|number| number.parse().ok());
    let release = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() {
        return None;
    }
    let is_described = suffix
        .strip_prefix('-')
        .and_then(|described| described.split_once("-g"))
        .is_some_and(|(count, _)| count.parse::<u32>().is_ok());
    Some((release, suffix.starts_with('-') && !is_described))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(runtime: &str, version: &str) -> Option<String> {
        nri_version(runtime, version).map(|version| version.to_string())
    }

    #[test]
    fn every_release_of_containerd_and_cri_o_has_its_version() {
        for (runtime, version, expected) in [
            ("containerd", "1.7.0", "v0.3.0"),
            ("containerd", "1.7.24~ds1", "v0.6.1"),
            ("containerd", "v1.7.34", "v0.8.0"),
            ("containerd", "2.0.0", "v0.8.0"),
            ("containerd", "2.1.9+unknown", "v0.8.0"),
            ("containerd", "v2.2.0", "v0.10.0"),
            ("containerd", "2.2.1", "v0.11.0"),
            ("containerd", "2.2.7+unknown", "v0.11.0"),
            ("containerd", "2.3.0", "v0.12.0"),
            ("containerd", "3.0.0", "v0.12.0"),
            ("cri-o", "1.30.5", "v0.6.0"),
            ("cri-o", "1.33.2", "v0.9.0"),
            ("cri-o", "1.34.0", "v0.10.0"),
            ("cri-o", "1.35.1", "v0.11.0"),
            ("cri-o", "1.36.0", "v0.11.0"),
        ] {
            assert_eq!(
                inferred(runtime, version).as_deref(),
                Some(expected),
                "{runtime} {version}"
            );
        }
    }

    #[test]
    fn a_pre_release_has_the_version_of_the_release_before() {
        for (version, expected) in [
            ("2.2.0-rc.1", "v0.8.0"),
            ("v2.3.0-beta.0+unknown", "v0.11.0"),
            ("2.2.0-225-ge9dc15b7a.m", "v0.10.0"),
        ] {
            assert_eq!(
                inferred("containerd", version).as_deref(),
                Some(expected),
                "{version}"
            );
        }
    }

    #[test]
    fn a_version_without_numbers_is_unknown() {
        for version in [
            "",
            "(devel)",
            "0.0.0-unknown",
            "0.0.0+unknown",
            "2",
            "2.2",
            "2.2.0.1",
            "latest",
            "1.6.9",
        ] {
            assert_eq!(inferred("containerd", version), None, "{version}");
        }
        assert_eq!(inferred("docker", "29.0.0"), None);
        assert_eq!(inferred("", ""), None);
    }
}
