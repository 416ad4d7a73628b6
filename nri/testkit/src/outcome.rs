//! The outcomes of a call of an event, and their effect on the container.

use std::time::Duration;

use containerd_nri::Status;

use crate::error::ConnectionEnd;

/// The outcome of the call of an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[must_use]
pub enum Outcome<T> {
    /// The plugin answered.
    Answer(T),
    /// The plugin answered with an error: the runtime fails the operation if the event allows that.
    Refused(Status),
    /// The plugin gave no answer. The runtime continues without it, and disconnects it unless its failure
    /// policy keeps it connected.
    NoAnswer(NoAnswer),
    /// The plugin gave no answer, and its failure policy fails the operation.
    Failed(FailedRequest),
    /// The plugin did not subscribe to the event, or the runtime does not have it: nothing was sent.
    NotSubscribed,
}

/// The error with which a runtime fails a request that the plugin did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin} failed to handle {method} request: {}", reason.in_go())]
#[non_exhaustive]
pub struct FailedRequest {
    /// Index and name of the plugin.
    pub plugin: String,
    /// The event.
    pub method: String,
    /// The reason why there was no answer.
    pub reason: NoAnswer,
}

/// The reason why there was no answer.
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

impl NoAnswer {
    /// The error of the runtime's libraries.
    fn in_go(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "context deadline exceeded",
            Self::Closed(ConnectionEnd::Protocol(_)) => "protocol error",
            Self::Closed(_) => "ttrpc: closed",
        }
    }
}

/// An outcome that is not an answer, as an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// The plugin answered with an error.
    #[error("the plugin answered with an error: {0}")]
    Refused(Status),
    /// The plugin gave no answer.
    #[error("the plugin gave no answer: {0}")]
    NoAnswer(NoAnswer),
    /// The plugin gave no answer, and its failure policy fails the operation.
    #[error(transparent)]
    Failed(FailedRequest),
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
            Self::Failed(failed) => Err(Unanswered::Failed(failed)),
            Self::NotSubscribed => Err(Unanswered::NotSubscribed),
        }
    }

    /// The same outcome with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Answer(answer) => Outcome::Answer(change(answer)),
            Self::Refused(status) => Outcome::Refused(status),
            Self::NoAnswer(reason) => Outcome::NoAnswer(reason),
            Self::Failed(failed) => Outcome::Failed(failed),
            Self::NotSubscribed => Outcome::NotSubscribed,
        }
    }
}
