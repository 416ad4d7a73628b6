//! The reasons why Go does not accept a regular expression.

use thiserror::Error;

/// The reason why Go's `regexp` package does not accept a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RegexpError {
    /// `\q`, `\1` and others.
    #[error("invalid escape {0}")]
    Escape(String),
    /// A backslash at the end.
    #[error("it ends with a \\")]
    TrailingBackslash,
    /// `[` without `]`.
    #[error("a [ has no ]")]
    MissingBracket,
    /// A range that runs backwards, or an unknown class.
    #[error("invalid character class or range {0}")]
    Class(String),
    /// `(` without `)`.
    #[error("a ( has no )")]
    MissingParenthesis,
    /// `)` without `(`.
    #[error("a ) has no (")]
    UnexpectedParenthesis,
    /// `(?` and something that Go does not know, for example look-around.
    #[error("Go does not support {0}")]
    Group(String),
    /// An invalid name of a group.
    #[error("invalid group name {0}")]
    GroupName(String),
    /// A `*` with nothing before it.
    #[error("there is nothing to repeat before {0}")]
    NothingToRepeat(String),
    /// `a**`.
    #[error("{0} repeats a repetition")]
    RepeatedTwice(String),
    /// More than 1000 repetitions, or the larger number first.
    #[error("invalid number of repetitions {0}; at most 1000 are allowed, nested ones multiplied")]
    RepeatSize(String),
    /// Groups that are nested deeper than Go accepts.
    #[error("it is nested more than {0} levels deep")]
    Depth(usize),
    /// The pattern needs too much memory.
    #[error("it needs more than {0} MiB of memory")]
    TooLarge(usize),
    /// The `regex` crate did not accept the translation.
    #[error("it cannot be translated: {0}")]
    Untranslatable(String),
}
