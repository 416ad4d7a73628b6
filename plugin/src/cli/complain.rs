//! Prints the errors of a command.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::model::one_line;

/// Prints an error to stderr; the command may continue.
pub(super) fn complain(about: &dyn Display) {
    let text = about.to_string();
    let lines: Vec<String> = text.lines().map(one_line).collect();
    // If this fails, there is no reader of the error; `eprintln` would panic.
    let _ = writeln!(
        io::stderr(),
        "nri-oci-hooks: {}",
        lines.join(
            "
"
        )
    );
}

/// Prints why the command ends, and returns its exit status: 1. If the reader of its output has closed the
/// pipe, it prints nothing and returns 0.
pub(super) fn fail(error: &anyhow::Error) -> ExitCode {
    let is_closed = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        io.map(io::Error::kind).or(json) == Some(io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed) {
        return ExitCode::SUCCESS;
    }
    complain(&with_causes(error));
    ExitCode::FAILURE
}

/// An error with its causes, each of them once: some errors print their causes themselves.
pub(super) fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.contains(&cause) {
            true => text,
            false if text.is_empty() => cause,
            false => format!("{text}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read /x: {source}")]
    struct Own {
        source: io::Error,
    }

    #[test]
    fn each_cause_is_printed_once() {
        let source = || io::Error::from_raw_os_error(20);
        let both = anyhow::Error::from(Own { source: source() }).context("cannot start");
        assert_eq!(
            with_causes(&both),
            format!("cannot start: cannot read /x: {}", source())
        );
        let one = anyhow::Error::from(source()).context("cannot read /x");
        assert_eq!(with_causes(&one), format!("cannot read /x: {}", source()));
    }

    #[test]
    fn a_reader_that_closes_the_pipe_is_no_failure() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let exit = |error: &anyhow::Error| format!("{:?}", fail(error));
        let good = format!("{:?}", ExitCode::SUCCESS);
        assert_eq!(exit(&anyhow::Error::from(closed()).context("cannot print")), good);
        assert_eq!(exit(&serde_json::Error::io(closed()).into()), good);
        assert_ne!(exit(&io::Error::from(io::ErrorKind::Other).into()), good);
    }
}
