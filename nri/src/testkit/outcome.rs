//! How a call of an event can end, and what that means for the container.

use std::time::Duration;

use super::error::ConnectionEnd;
use crate::status::Status;

/// How the call of an event ended.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome<T> {
    /// The plugin answered.
    Answer(T),
    /// The plugin answered with an error: the runtime fails the operation where the event allows that.
    Refused(Status),
    /// The plugin gave no answer, and is disconnected. The runtime goes on without it.
    NoAnswer(NoAnswer),
    /// The plugin did not subscribe to the event, or the runtime does not have it: nothing was sent.
    NotSubscribed,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The request timeout passed.
    #[error("context deadline exceeded: no answer within {0:?}")]
    Timeout(Duration),
    /// The connection ended.
    #[error("ttrpc: closed: {0}")]
    Closed(ConnectionEnd),
}

/// An outcome that is not an answer, as an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The plugin answered with an error.
    #[error("the plugin answered with an error: {0}")]
    Refused(Status),
    /// The plugin gave no answer.
    #[error("the plugin gave no answer: {0}")]
    NoAnswer(NoAnswer),
    /// The plugin did not subscribe to the event.
    #[error("the plugin is not subscribed to the event")]
    NotSubscribed,
}

impl<T> Outcome<T> {
    /// The answer.
    ///
    /// # Errors
    /// [`Unanswered`] if there is none.
    pub fn into_answer(self) -> Result<T, Unanswered> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::Refused(status) => Err(Unanswered::Refused(status)),
            Self::NoAnswer(reason) => Err(Unanswered::NoAnswer(reason)),
            Self::NotSubscribed => Err(Unanswered::NotSubscribed),
        }
    }

    /// The same outcome with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Answer(answer) => Outcome::Answer(change(answer)),
            Self::Refused(status) => Outcome::Refused(status),
            Self::NoAnswer(reason) => Outcome::NoAnswer(reason),
            Self::NotSubscribed => Outcome::NotSubscribed,
        }
    }
}
