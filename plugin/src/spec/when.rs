//! The conditions of a hooks.d file: for which containers its hook counts.

use std::collections::HashMap;

use regex_lite::{Regex, RegexBuilder};

/// Longest command that is held against a pattern: the kernel executes no longer path.
const LONGEST_COMMAND: usize = 4095;

/// What is known of a container that conditions can be about.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// The live pod's annotations.
    pub annotations: &'c HashMap<String, String>,
    /// The first word of the container's command line, if it has one.
    pub command: Option<&'c str>,
    /// Whether something of the host is mounted into it.
    pub has_bind_mounts: bool,
}

/// The conditions under which a hook counts, as podman and CRI-O have them in hooks.d files of
/// version 1.0.0: all that are set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// `always`: holds if true.
    pub always: Option<bool>,
    /// `annotations`: for each pair, some annotation's key and value match the two patterns.
    pub annotations: Vec<(Pattern, Pattern)>,
    /// `commands`: the command matches one of the patterns.
    pub commands: Vec<Pattern>,
    /// `hasBindMounts`: holds if true and the container has some.
    pub has_bind_mounts: Option<bool>,
}

impl When {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == When::default()
    }

    /// Whether all conditions that are set hold.
    pub fn holds(&self, container: &Circumstances<'_>) -> bool {
        self.judged(container).into_iter().all(|(_, holds)| holds)
    }

    /// The keys of the conditions that do not hold.
    pub fn unmet(&self, container: &Circumstances<'_>) -> Vec<&'static str> {
        let judged = self.judged(container).into_iter();
        judged.filter(|(_, holds)| !holds).map(|(key, _)| key).collect()
    }

    /// Each condition's key, and whether it holds or is not set.
    fn judged(&self, container: &Circumstances<'_>) -> [(&'static str, bool); 4] {
        let some_annotation = |(key, value): &(Pattern, Pattern)| {
            let mut annotations = container.annotations.iter();
            annotations.any(|(name, text)| key.is_match(name) && value.is_match(text))
        };
        let command = container.command.filter(|path| path.len() <= LONGEST_COMMAND);
        let this_command = |pattern: &Pattern| command.is_some_and(|path| pattern.is_match(path));
        let bind_mounts = |wanted| wanted && container.has_bind_mounts;
        [
            ("always", self.always.unwrap_or(true)),
            ("hasBindMounts", self.has_bind_mounts.is_none_or(bind_mounts)),
            ("annotations", self.annotations.iter().all(some_annotation)),
            (
                "commands",
                self.commands.is_empty() || self.commands.iter().any(this_command),
            ),
        ]
    }
}

/// A regular expression, found anywhere in a text unless it says otherwise. Matching takes time in
/// proportion to its own length and that of the text, whatever either is.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// How much memory it may take, in bytes.
    pub const MAX_SIZE: usize = 64 * 1024;

    /// The pattern `text`; fails with what is wrong with it.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(Self::MAX_SIZE).build();
        built.map(Pattern).map_err(|error| error.to_string())
    }

    fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}
