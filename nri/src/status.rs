//! The error answer of an event handler.

use std::fmt;

/// Why a handler could not do what it was asked. It becomes the ttrpc status of the answer.
///
/// What an error does depends on the event. From `create_container` it fails the creation of the container, and
/// the message reaches `kubectl describe pod`. From stop, remove and post events it undoes nothing, and keeps the
/// event from the plugins after this one: better log and return `Ok`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Status {
    /// What kind of failure it is.
    pub code: Code,
    /// What happened, for a person to read.
    pub message: String,
}

impl Status {
    /// A status with the given code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The request, or an annotation in it, is wrong ([`Code::InvalidArgument`]).
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// The node is not in the state that the request needs ([`Code::FailedPrecondition`]).
    pub fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// The plugin itself is broken ([`Code::Internal`]).
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }
}

/// Kinds of failures: the status codes of gRPC, without `OK`, which is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The caller gave up.
    Cancelled,
    /// None of the others is known to apply.
    Unknown,
    /// The request is wrong, whatever the state of the node.
    InvalidArgument,
    /// There was not enough time.
    DeadlineExceeded,
    /// Something that the request names does not exist.
    NotFound,
    /// Something that should be made exists already.
    AlreadyExists,
    /// A policy forbids it.
    PermissionDenied,
    /// A limit is reached, for instance the size of a message.
    ResourceExhausted,
    /// The node is not in the state that the request needs.
    FailedPrecondition,
    /// A conflict with something concurrent.
    Aborted,
    /// A value outside of its range.
    OutOfRange,
    /// There is no such method.
    Unimplemented,
    /// A bug.
    Internal,
    /// Not possible right now.
    Unavailable,
    /// Data is lost or damaged.
    DataLoss,
    /// The caller is not known.
    Unauthenticated,
}

/// Each code, its number on the wire, and its name.
const CODES: [(Code, ttrpc::Code, &str); 16] = [
    (Code::Cancelled, ttrpc::Code::CANCELLED, "cancelled"),
    (Code::Unknown, ttrpc::Code::UNKNOWN, "unknown"),
    (
        Code::InvalidArgument,
        ttrpc::Code::INVALID_ARGUMENT,
        "invalid argument",
    ),
    (
        Code::DeadlineExceeded,
        ttrpc::Code::DEADLINE_EXCEEDED,
        "deadline exceeded",
    ),
    (Code::NotFound, ttrpc::Code::NOT_FOUND, "not found"),
    (Code::AlreadyExists, ttrpc::Code::ALREADY_EXISTS, "already exists"),
    (
        Code::PermissionDenied,
        ttrpc::Code::PERMISSION_DENIED,
        "permission denied",
    ),
    (
        Code::ResourceExhausted,
        ttrpc::Code::RESOURCE_EXHAUSTED,
        "resource exhausted",
    ),
    (
        Code::FailedPrecondition,
        ttrpc::Code::FAILED_PRECONDITION,
        "failed precondition",
    ),
    (Code::Aborted, ttrpc::Code::ABORTED, "aborted"),
    (Code::OutOfRange, ttrpc::Code::OUT_OF_RANGE, "out of range"),
    (Code::Unimplemented, ttrpc::Code::UNIMPLEMENTED, "unimplemented"),
    (Code::Internal, ttrpc::Code::INTERNAL, "internal error"),
    (Code::Unavailable, ttrpc::Code::UNAVAILABLE, "unavailable"),
    (Code::DataLoss, ttrpc::Code::DATA_LOSS, "data loss"),
    (
        Code::Unauthenticated,
        ttrpc::Code::UNAUTHENTICATED,
        "unauthenticated",
    ),
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = CODES
            .iter()
            .find(|(code, ..)| code == self)
            .map_or("unknown", |(.., name)| name);
        f.write_str(name)
    }
}

impl From<Code> for ttrpc::Code {
    fn from(code: Code) -> Self {
        CODES
            .iter()
            .find(|(ours, ..)| *ours == code)
            .map_or(Self::UNKNOWN, |(_, theirs, _)| *theirs)
    }
}

impl From<ttrpc::Code> for Code {
    fn from(code: ttrpc::Code) -> Self {
        CODES
            .iter()
            .find(|(_, theirs, _)| *theirs == code)
            .map_or(Self::Unknown, |(ours, ..)| *ours)
    }
}

impl From<Status> for ttrpc::Status {
    fn from(status: Status) -> Self {
        ttrpc::get_status(status.code.into(), status.message)
    }
}

impl From<Status> for ttrpc::Error {
    fn from(status: Status) -> Self {
        Self::RpcStatus(status.into())
    }
}

/// How much of another's message is taken over, in characters.
const MOST_OF_MESSAGE: usize = 1000;

/// What another has sent: the beginning of its message, in one line.
impl From<ttrpc::Error> for Status {
    fn from(error: ttrpc::Error) -> Self {
        match error {
            ttrpc::Error::RpcStatus(status) => {
                let code = status.code.enum_value().map_or(Code::Unknown, Code::from);
                let beginning = status.message.chars().take(MOST_OF_MESSAGE);
                let shown = beginning.map(|c| if c.is_control() { ' ' } else { c });
                Self::new(code, shown.collect::<String>())
            }
            other => Self::new(Code::Unavailable, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_keeps_its_meaning_over_the_wire() {
        for (code, ..) in CODES {
            let status = Status::new(code, "because");
            assert_eq!(Status::from(ttrpc::Error::from(status.clone())), status);
        }
    }

    #[test]
    fn of_anothers_message_the_beginning_is_taken_over_in_one_line() {
        let sent = format!("no\n\u{1b}[2J{}", "x".repeat(1 << 20));
        let error = ttrpc::Error::RpcStatus(ttrpc::get_status(ttrpc::Code::INTERNAL, sent));
        let shown = Status::from(error).to_string();
        assert!(shown.len() < 1100 && !shown.contains(char::is_control), "{shown}");
        assert!(shown.contains("no  [2Jxxx"), "{shown}");
    }

    #[test]
    fn a_status_reads_as_its_code_and_message() {
        assert_eq!(
            Status::invalid_argument("no such spec").to_string(),
            "invalid argument: no such spec"
        );
    }
}
