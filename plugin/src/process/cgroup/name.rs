//! What the control group of a hook is called.

use std::fmt;

use crate::model::Stage;

/// The name of one hook's control group. It can be told from the container's entry in the ledger, so that
/// whoever comes after a runner that was killed finds what it has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupName(String);

impl GroupName {
    /// That of the hook number `index` of `stage` of the container `id`, which was created `created`
    /// nanoseconds after 1970: ids are used again, and two ledgers may have the same.
    pub(crate) fn new(id: &str, stage: Stage, index: usize, created: u128) -> GroupName {
        GroupName(format!("{id}-{stage}-{index}-{created:x}"))
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a directory is called as this has it: what else is there is not ours.
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
    fn a_name_is_told_from_whatever_else_lies_beside_it() {
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
