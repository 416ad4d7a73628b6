//! Why a text is no regular expression for Go.

use thiserror::Error;

/// Why a text is no regular expression for Go's `regexp` package.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegexpError {
    /// `\q`, `\1` and others.
    #[error("invalid escape {0}")]
    Escape(String),
    /// A backslash at the end.
    #[error("it ends with a \\")]
    TrailingBackslash,
    /// `[` without its `]`.
    #[error("a [ has no ]")]
    MissingBracket,
    /// A range that runs backwards, or a class that nobody knows.
    #[error("invalid character class or range {0}")]
    Class(String),
    /// `(` without its `)`.
    #[error("a ( has no )")]
    MissingParenthesis,
    /// `)` without its `(`.
    #[error("a ) has no (")]
    UnexpectedParenthesis,
    /// `(?` and something that Go does not know, look-around for one.
    #[error("{0} is nothing that Go knows")]
    Group(String),
    /// The name of a group is none.
    #[error("invalid name of a group {0}")]
    GroupName(String),
    /// Nothing stands before a `*`.
    #[error("nothing stands before {0} that can be repeated")]
    NothingToRepeat(String),
    /// `a**`.
    #[error("{0} repeats what is repeated already")]
    RepeatedTwice(String),
    /// More than 1000 repetitions, or the larger number first.
    #[error("invalid number of repetitions {0}; at most 1000 are allowed, those inside of others multiplied")]
    RepeatSize(String),
    /// More groups within groups than Go takes.
    #[error("it is nested more than {0} levels deep")]
    Depth(usize),
    /// It needs too much memory.
    #[error("it takes more than {0} MiB of memory")]
    TooLarge(usize),
    /// The `regex` crate did not take what it was translated to.
    #[error("it cannot be translated: {0}")]
    Untranslatable(String),
}
