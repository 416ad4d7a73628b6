//! The identity of a plugin: its name and its index.

use std::fmt;
use std::str::FromStr;

/// The name of a plugin: letters, digits, `_`, `.`, `+` and `-`, at least one of them.
///
/// NRI 0.12 refuses other names, since it joins names with commas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginName(String);

/// The index of a plugin: two digits. Runtimes call plugins in the order of their indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginIndex(u8);

/// The name and index under which a plugin registers. Reads as `10-name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The name.
    pub name: PluginName,
    /// The index.
    pub index: PluginIndex,
}

/// A name or index that runtimes would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The name has no characters.
    #[error("the plugin name is empty")]
    EmptyName,
    /// The name has a character outside of the allowed ones.
    #[error(
        "plugin name {name:?} contains {character:?}; allowed are letters, digits, and the characters _ . + -"
    )]
    NameCharacter {
        /// The name.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The index is not two digits.
    #[error("plugin index {0:?} is not two digits, like 05 or 10")]
    Index(String),
    /// The text has no `-` between index and name.
    #[error("plugin identity {0:?} is not an index and a name, like 10-example")]
    NoDash(String),
}

impl PluginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = IdentityError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(IdentityError::NameCharacter {
                name: name.to_owned(),
                character,
            }),
            None if name.is_empty() => Err(IdentityError::EmptyName),
            None => Ok(Self(name.to_owned())),
        }
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PluginIndex {
    type Err = IdentityError;

    fn from_str(index: &str) -> Result<Self, Self::Err> {
        match index.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(Self((tens - b'0') * 10 + (ones - b'0'))),
            _ => Err(IdentityError::Index(index.to_owned())),
        }
    }
}

impl fmt::Display for PluginIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl Identity {
    /// An identity from its two parts as text.
    ///
    /// # Errors
    /// [`IdentityError`] if the name or the index is one that runtimes would refuse.
    pub fn new(index: &str, name: &str) -> Result<Self, IdentityError> {
        Ok(Self {
            name: name.parse()?,
            index: index.parse()?,
        })
    }
}

/// An index and a name as in the file name of a launched plugin: `10-name`.
impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, name) = text
            .split_once('-')
            .ok_or_else(|| IdentityError::NoDash(text.to_owned()))?;
        Self::new(index, name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.index, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_characters_that_runtimes_accept() {
        for name in ["oci-hooks", "a", "A.b_c+9"] {
            assert_eq!(name.parse::<PluginName>().unwrap().as_str(), name);
        }
        for name in ["", "a,b", "a b", "a/b", "ä"] {
            assert!(name.parse::<PluginName>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_index_is_two_digits() {
        for index in ["00", "05", "99"] {
            assert_eq!(index.parse::<PluginIndex>().unwrap().to_string(), index);
        }
        for index in ["", "1", "100", "-1", "a1", "１0"] {
            assert!(index.parse::<PluginIndex>().is_err(), "{index}");
        }
    }

    #[test]
    fn an_identity_is_read_from_such_a_file_name() {
        let identity: Identity = "10-oci-hooks".parse().unwrap();
        assert_eq!(identity, Identity::new("10", "oci-hooks").unwrap());
        for text in ["", "10", "oci-hooks", "1-a", "10-", "10-a b"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_identity_reads_like_the_file_name_of_a_launched_plugin() {
        assert_eq!(
            Identity::new("10", "oci-hooks").unwrap().to_string(),
            "10-oci-hooks"
        );
    }
}
