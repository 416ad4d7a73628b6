//! Starting runners, and learning how they ended.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
    /// The program that runs now. It is found now: its file may be replaced while it runs.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn this() -> io::Result<RunnerProgram> {
        Ok(RunnerProgram {
            path: std::env::current_exe()?,
            enters_host: false,
        })
    }

    /// The one at `path` on the host, for a daemon that lives in a pod: what that starts enters the
    /// host.
    pub fn on_host(path: PathBuf) -> RunnerProgram {
        RunnerProgram {
            path,
            enters_host: true,
        }
    }

    /// Where it is.
    pub(in crate::daemon) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is started in a pod.
    pub(super) fn enters_host(&self) -> bool {
        self.enters_host
    }
}

/// A runner at work. It goes on when this is dropped, and when the daemon dies.
#[derive(Debug)]
pub(super) struct Running(JoinHandle<Ended>);

/// What became of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Whether the container may go on.
    pub(super) is_good: bool,
    /// What it told: a line per failure.
    pub(super) told: String,
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
            Ok(output) => Ended {
                is_good: output.status.success(),
                told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            },
            Err(error) => Ended {
                is_good: false,
                told: format!("its runner cannot be waited for: {error}"),
            },
        };
        // Failed hooks are on record, and reported by whoever reads that; a runner's own trouble is not.
        for trouble in ended.told.lines().filter(|line| line.starts_with(NAME)) {
            tracing::warn!(%stage, %by, "{trouble}");
        }
        ended
    };
    Ok(Running(tokio::spawn(ended.in_current_span())))
}

impl Running {
    /// Waits until it has ended, but no longer than `limit`; then it is given back.
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
