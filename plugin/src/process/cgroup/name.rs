//! The name of a hook's control group.

use std::fmt;

use crate::model::Stage;

/// The name of one hook's control group. It follows from the container's entry in the ledger, so that the
/// next runner finds the group of a killed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupName(String);

impl GroupName {
    /// The name for the hook number `index` of `stage` of the container `id`. The time of creation, `created`
    /// nanoseconds after 1970, makes it unique: ids are used again, and two ledgers may have the same.
    pub(crate) fn new(id: &str, stage: Stage, index: usize, created: u128) -> GroupName {
        GroupName(format!("{id}-{stage}-{index}-{created:x}"))
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a directory has such a name: other directories are not ours.
    pub(super) fn is_one(name: &str) -> bool {
        let mut parts = name.rsplitn(4, '-');
        let mut next = || parts.next().unwrap_or_default();
        u128::from_str_radix(next(), 16).is_ok()
            && next().parse::<usize>().is_ok()
            && Stage::from_key(next()).is_some()
            && !next().is_empty()
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_differs_from_every_other_name_in_its_directory() {
        let name = GroupName::new("a-b.c", Stage::Poststop, 12, 0xabc);
        assert_eq!(name.as_str(), "a-b.c-poststop-12-abc");
        assert!(GroupName::is_one(name.as_str()));
        for other in [
            "runner",
            "",
            "a-poststop-12",
            "-poststop-1-a",
            "a-stop-1-a",
            "a-poststop-1-x",
        ] {
            assert!(!GroupName::is_one(other), "{other}");
        }
    }
}
