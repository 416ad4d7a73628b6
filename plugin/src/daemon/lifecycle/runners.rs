//! Starts runners, and waits for their result.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::runner::{Call, NAME, State};

/// The program that is run as the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerProgram {
    path: PathBuf,
    enters_host: bool,
}

impl RunnerProgram {
    /// The program that runs now. Its path is resolved now: its file may be replaced while it runs.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn this() -> io::Result<RunnerProgram> {
        Ok(RunnerProgram {
            path: std::env::current_exe()?,
            enters_host: false,
        })
    }

    /// The program at `path` on the host, for a daemon in a pod: a runner that it starts enters the host.
    pub(crate) fn on_host(path: PathBuf) -> RunnerProgram {
        RunnerProgram {
            path,
            enters_host: true,
        }
    }

    /// The path of the program.
    pub(in crate::daemon) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is started in a pod.
    pub(super) fn enters_host(&self) -> bool {
        self.enters_host
    }
}

/// A runner at work. It continues when this is dropped, and when the daemon dies.
#[derive(Debug)]
pub(super) struct Running(JoinHandle<Ended>);

/// The result of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Whether the container may continue.
    pub(super) succeeded: bool,
    /// Its output: a line per failure.
    pub(super) output: String,
}

/// Starts `program` as a runner.
///
/// # Errors
/// The kernel lacks processes or descriptors, or the program is gone.
pub(super) fn start(program: &Path, call: &Call, state: &State) -> io::Result<Running> {
    let arguments = call.arguments();
    let child = Command::new(program)
        .arg0(&arguments[0])
        .args(&arguments[1..])
        .env_clear()
        .current_dir("/")
        .stdin(state.to_file()?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stage, by) = (call.stage, call.trigger);
    let ended = async move {
        let ended = match child.wait_with_output().await {
            Ok(output) => Ended::new(output.status, &output.stderr),
            Err(error) => Ended {
                succeeded: false,
                output: format!("cannot wait for its runner: {error}"),
            },
        };
        // Failed hooks are on record and reported by readers of the records; a runner's own trouble is not.
        for trouble in ended.output.lines().filter(|line| line.starts_with(NAME)) {
            tracing::warn!(%stage, %by, "{trouble}");
        }
        ended
    };
    Ok(Running(tokio::spawn(ended.in_current_span())))
}

impl Ended {
    fn new(status: ExitStatus, stderr: &[u8]) -> Ended {
        let succeeded = status.success();
        let output = match String::from_utf8_lossy(stderr).trim() {
            "" if !succeeded => format!("its runner ended without an answer ({status})"),
            output => output.to_owned(),
        };
        Ended { succeeded, output }
    }
}

impl Running {
    /// Waits until it has ended, at most `limit`; after that returns the runner.
    pub(super) async fn within(mut self, limit: Duration) -> Result<Ended, Running> {
        tokio::select! {
            biased;
            ended = &mut self.0 => match ended {
                Ok(ended) => Ok(ended),
                // The task is cancelled only when the daemon itself ends.
                Err(_) => pending().await,
            },
            () = tokio::time::sleep(limit) => Err(self),
        }
    }

    /// Waits until it has ended.
    pub(super) async fn end(self) -> Ended {
        match self.0.await {
            Ok(ended) => ended,
            Err(_) => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_container_is_not_refused_without_a_reason() {
        let killed = Ended::new(ExitStatus::from_raw(9), b"");
        assert!(!killed.succeeded);
        assert_eq!(
            killed.output,
            "its runner ended without an answer (signal: 9 (SIGKILL))"
        );

        let failed = Ended::new(ExitStatus::from_raw(0x100), b"prestart hook 1 of 1 failed\n");
        assert_eq!(failed.output, "prestart hook 1 of 1 failed");
    }
}
