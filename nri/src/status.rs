//! The error answer of an event handler.

use std::error::Error;
use std::fmt;

use protobuf::EnumOrUnknown;

/// The reason why a handler failed. It becomes the ttrpc status of the answer.
///
/// The effect of an error depends on the event. From `create_container` it fails the creation of the container, and
/// the message reaches `kubectl describe pod`. From stop, remove and post events it undoes nothing, and keeps the
/// event from the plugins after this one: better log and return `Ok`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct Status {
    /// The kind of failure.
    pub code: Code,
    /// The text, for a person to read.
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
}

impl Status {
    /// An error of the plugin itself ([`Code::Internal`]), from any error, `anyhow::Error` too. It has the
    /// causes: `cannot read x: no such file`.
    ///
    /// The errors of the standard library and of this crate do not need this: `?` turns them into a status.
    ///
    /// ```
    /// use containerd_nri::Status;
    ///
    /// #[derive(Debug)]
    /// struct Mine;
    /// # impl std::fmt::Display for Mine {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("mine") }
    /// # }
    /// # impl std::error::Error for Mine {}
    ///
    /// fn handler(text: &str) -> Result<u8, Status> {
    ///     let number = text.parse()?;
    ///     Err(Mine).map_err(Status::from_error)?;
    ///     Ok(number)
    /// }
    /// assert_eq!(handler("1").unwrap_err(), Status::internal("mine"));
    /// ```
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::from(error.into())
    }
}

/// Declares a constructor for each code.
macro_rules! constructors {
    ($($(#[doc = $doc:literal])* $name:ident $code:ident;)*) => {
        impl Status {
            $($(#[doc = $doc])*
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Code::$code, message)
            })*
        }
    };
}

constructors! {
    /// The caller gave up ([`Code::Cancelled`]).
    cancelled Cancelled;
    /// None of the other codes is known to apply ([`Code::Unknown`]).
    unknown Unknown;
    /// The request, or an annotation in it, is wrong ([`Code::InvalidArgument`]).
    invalid_argument InvalidArgument;
    /// There was not enough time ([`Code::DeadlineExceeded`]).
    deadline_exceeded DeadlineExceeded;
    /// Something that the request names does not exist ([`Code::NotFound`]).
    not_found NotFound;
    /// Something that should be made exists already ([`Code::AlreadyExists`]).
    already_exists AlreadyExists;
    /// A policy forbids it ([`Code::PermissionDenied`]).
    permission_denied PermissionDenied;
    /// A limit is reached ([`Code::ResourceExhausted`]).
    resource_exhausted ResourceExhausted;
    /// The node is not in the state that the request needs ([`Code::FailedPrecondition`]).
    failed_precondition FailedPrecondition;
    /// There was a conflict with something concurrent ([`Code::Aborted`]).
    aborted Aborted;
    /// A value is outside of its range ([`Code::OutOfRange`]).
    out_of_range OutOfRange;
    /// There is no such method ([`Code::Unimplemented`]).
    unimplemented Unimplemented;
    /// The plugin itself is broken ([`Code::Internal`]).
    internal Internal;
    /// It is not possible right now ([`Code::Unavailable`]).
    unavailable Unavailable;
    /// Data is lost or damaged ([`Code::DataLoss`]).
    data_loss DataLoss;
    /// The caller is not known ([`Code::Unauthenticated`]).
    unauthenticated Unauthenticated;
}

/// An error of the plugin itself ([`Code::Internal`]), with its causes: `cannot read x: no such file`.
///
/// With it, `?` turns the errors of the standard library, and those that are boxed, into the answer.
fn internal(error: &(dyn Error + 'static)) -> Status {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors print their cause themselves.
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    Status::internal(message)
}

/// Makes a status from errors, for `?`.
macro_rules! from_errors {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Status {
            fn from(error: $error) -> Self {
                internal(&error)
            }
        })*
    };
}

from_errors! {
    std::array::TryFromSliceError,
    std::env::VarError,
    std::io::Error,
    std::net::AddrParseError,
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::fmt::Error,
    std::time::SystemTimeError,
    tokio::task::JoinError,
    tokio::time::error::Elapsed,
    crate::Error,
    crate::EventError,
    crate::IdentityError,
    crate::VersionError,
}

impl From<Box<dyn Error>> for Status {
    fn from(error: Box<dyn Error>) -> Self {
        internal(&*error)
    }
}

impl From<Box<dyn Error + Send + Sync>> for Status {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        internal(&*error)
    }
}

/// Kinds of failures: the status codes of gRPC, without `OK`, which is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The caller gave up.
    Cancelled = 1,
    /// None of the others is known to apply.
    Unknown = 2,
    /// The request is wrong, whatever the state of the node.
    InvalidArgument = 3,
    /// There was not enough time.
    DeadlineExceeded = 4,
    /// Something that the request names does not exist.
    NotFound = 5,
    /// Something that should be made exists already.
    AlreadyExists = 6,
    /// A policy forbids it.
    PermissionDenied = 7,
    /// A limit is reached, for instance the size of a message.
    ResourceExhausted = 8,
    /// The node is not in the state that the request needs.
    FailedPrecondition = 9,
    /// A conflict with something concurrent.
    Aborted = 10,
    /// A value outside of its range.
    OutOfRange = 11,
    /// There is no such method.
    Unimplemented = 12,
    /// A bug.
    Internal = 13,
    /// Not possible right now.
    Unavailable = 14,
    /// Data is lost or damaged.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

/// Each code and its name.
const CODES: [(Code, &str); 16] = [
    (Code::Cancelled, "cancelled"),
    (Code::Unknown, "unknown"),
    (Code::InvalidArgument, "invalid argument"),
    (Code::DeadlineExceeded, "deadline exceeded"),
    (Code::NotFound, "not found"),
    (Code::AlreadyExists, "already exists"),
    (Code::PermissionDenied, "permission denied"),
    (Code::ResourceExhausted, "resource exhausted"),
    (Code::FailedPrecondition, "failed precondition"),
    (Code::Aborted, "aborted"),
    (Code::OutOfRange, "out of range"),
    (Code::Unimplemented, "unimplemented"),
    (Code::Internal, "internal error"),
    (Code::Unavailable, "unavailable"),
    (Code::DataLoss, "data loss"),
    (Code::Unauthenticated, "unauthenticated"),
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = CODES
            .iter()
            .find(|(code, _)| code == self)
            .map_or("unknown", |(_, name)| name);
        f.write_str(name)
    }
}

impl Code {
    /// The number of the code in gRPC.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The code with this number in gRPC; [`Code::Unknown`] if there is none, and for 0, which stands for success.
    pub fn from_number(number: i32) -> Self {
        CODES
            .iter()
            .find(|(code, _)| code.number() == number)
            .map_or(Self::Unknown, |(code, _)| *code)
    }
}

impl Status {
    /// The status as in the protocol.
    pub(crate) fn into_wire(self) -> ttrpc::Status {
        ttrpc::Status {
            code: EnumOrUnknown::from_i32(self.code.number()),
            message: self.message,
            ..Default::default()
        }
    }

    /// The error of a call with this answer.
    pub(crate) fn into_rpc(self) -> ttrpc::Error {
        ttrpc::Error::RpcStatus(self.into_wire())
    }
}

/// The maximum length of a received message, in characters.
const MAX_MESSAGE: usize = 1000;

impl Status {
    /// The status from the other side: the beginning of its message, in one line.
    pub(crate) fn received(error: ttrpc::Error) -> Self {
        match error {
            ttrpc::Error::RpcStatus(status) => {
                let code = Code::from_number(status.code.value());
                let beginning = status.message.chars().take(MAX_MESSAGE);
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
        for (code, _) in CODES {
            let status = Status::new(code, "because");
            assert_eq!(Status::received(status.clone().into_rpc()), status);
        }
    }

    #[test]
    fn a_received_message_is_cut_to_its_beginning_in_one_line() {
        let sent = format!("no\n\u{1b}[2J{}", "x".repeat(1 << 20));
        let error = ttrpc::Error::RpcStatus(ttrpc::get_status(ttrpc::Code::INTERNAL, sent));
        let shown = Status::received(error).to_string();
        assert!(shown.len() < 1100 && !shown.contains(char::is_control), "{shown}");
        assert!(shown.contains("no  [2Jxxx"), "{shown}");
    }

    #[test]
    fn an_error_becomes_an_internal_status_with_its_causes() {
        fn handler() -> Result<(), Status> {
            let error = crate::Error::Connect {
                path: "/run/nri.sock".into(),
                cause: std::io::Error::other("no such thing"),
            };
            Err(error)?
        }
        let status = handler().unwrap_err();
        assert_eq!(status.code, Code::Internal);
        assert_eq!(status.message.matches("no such thing").count(), 1, "{status}");
    }

    #[test]
    fn a_status_reads_as_its_code_and_message() {
        assert_eq!(
            Status::invalid_argument("no such spec").to_string(),
            "invalid argument: no such spec"
        );
    }
}
