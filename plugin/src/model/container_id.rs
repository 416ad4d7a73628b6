//! The container's id, which names it in the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::escaped;

/// A container's id as its runtime gives it, checked to be usable as the name of a directory: 1 to 128
/// letters, digits, `_`, `-` and `.`, of which the first is a letter or digit.
///
/// containerd allows no other ids, and CRI-O's are 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ContainerId(String);

/// The error for a text that is not a container id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} is not a container id, which has 1 to 128 letters, digits, _, - and ., the first a letter or digit",
    escaped(.0)
)]
pub struct NotAnId(String);

impl ContainerId {
    const LONGEST: usize = 128;

    /// The id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let first = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        let others = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if first && text.len() <= Self::LONGEST && text.bytes().all(others) {
            Ok(ContainerId(text.to_owned()))
        } else {
            Err(NotAnId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ContainerId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
