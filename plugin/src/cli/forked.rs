//! Runs commands that read from places that may hang, in a process of their own. The caller's process ends in
//! time, even if the kernel blocks the other.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::complain::{fail, with_causes};
use crate::bounded::within;
use crate::process::detach_from_caller;
use crate::system::{close_descriptors_except, fork_child};

/// The maximum time until a command has its result.
pub(super) const LIMIT: Duration = Duration::from_secs(8);

/// The maximum time until its process has passed the result on.
const PROCESS_LIMIT: Duration = Duration::from_millis(9500);

/// How a command ended, and the text that it has printed.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    /// Whether the command returned true, or why it returned nothing.
    is_good: Result<bool, String>,
    printed: String,
}

/// Runs `command`, and prints its output. Exits 0 if it returns true, else 1.
///
/// The command runs in a fork of this process, because the caller waits for the end of this one. The kernel
/// does not end a process while one of its threads waits for a file system that does not answer.
pub(super) fn run(command: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<bool>) -> ExitCode {
    let ended = ended(command);
    // The reader may be gone.
    let written = io::stdout().write_all(ended.printed.as_bytes());
    match ended.is_good {
        Ok(true) if written.is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => fail(&anyhow!(error)),
    }
}

fn ended(command: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<bool>) -> Ended {
    let mut command = Some(command);
    let result = begin(|sender| {
        if let Some(command) = command.take() {
            send(&of(command), sender);
        }
    });
    match (result, command) {
        (Ok(result), _) => receive(result),
        (Err(_), Some(command)) => of(command),
        (Err(error), None) => Ended::failed(error.to_string()),
    }
}

impl Ended {
    fn failed(error: String) -> Ended {
        Ended {
            is_good: Err(error),
            printed: String::new(),
        }
    }
}

/// Forks a process that does `work`, which sends a result. Returns the reader of the result.
fn begin(work: impl FnOnce(PipeWriter)) -> io::Result<PipeReader> {
    let (result, sender) = io::pipe()?;
    fork_child(|| {
        // A reader of this command's output reads until no process holds the other end.
        if close_descriptors_except(&[sender.as_raw_fd()]).is_err() || detach_from_caller().is_err() {
            return 1;
        }
        work(sender);
        0
    })?;
    Ok(result)
}

fn of(command: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<bool>) -> Ended {
    let mut printed = Vec::new();
    let is_good = command(&mut printed).map_err(|error| with_causes(&error));
    Ended {
        is_good,
        printed: String::from_utf8_lossy(&printed).into_owned(),
    }
}

fn send(ended: &Ended, mut sender: PipeWriter) {
    // The process that waited for it may be gone.
    let _ = serde_json::to_writer(&mut sender, ended);
}

fn receive(mut result: PipeReader) -> Ended {
    let received = within(PROCESS_LIMIT, move || {
        let mut text = Vec::new();
        result.read_to_end(&mut text).map(|_| text)
    });
    match received {
        Some(Ok(text)) => serde_json::from_slice(&text)
            .unwrap_or_else(|_| Ended::failed("it ended without a result".into())),
        Some(Err(error)) => Ended::failed(error.to_string()),
        None => Ended::failed("a file system of this node does not answer".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_and_result_of_a_command_come_through_the_pipe() {
        let (result, sender) = io::pipe().unwrap();
        let command = |out: &mut Vec<u8>| {
            out.extend(b"a line\n");
            anyhow::Ok(true)
        };
        send(&of(command), sender);
        let ended = receive(result);
        assert_eq!((ended.is_good, &*ended.printed), (Ok(true), "a line\n"));
    }

    #[test]
    fn a_command_whose_process_dies_has_failed() {
        let (result, sender) = io::pipe().unwrap();
        drop(sender);
        assert!(receive(result).is_good.is_err());
    }
}
