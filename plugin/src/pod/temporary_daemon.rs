//! A daemon of the pod that runs while the host's is replaced, so that no container is created between the
//! two.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::UnitError;
use crate::process::is_passing;

/// The maximum time until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum time until it has ended.
const END_TIMEOUT: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A daemon that has its containers; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryDaemon {
    child: Child,
    /// The socket for its message that it is ready.
    socket: PathBuf,
}

impl TemporaryDaemon {
    /// Executes `command`, whose first word is a program, and returns when it is ready.
    ///
    /// # Errors
    /// It cannot be executed, or is not ready in time.
    pub(crate) fn start(command: &[String]) -> Result<TemporaryDaemon, UnitError> {
        let failed = |source: io::Error| UnitError::Tool {
            tool: "the temporary daemon",
            source,
        };
        let socket = PathBuf::from(format!("/run/nri-oci-hooks-stand-in-{}.sock", std::process::id()));
        let _ = fs::remove_file(&socket);
        let ready = UnixDatagram::bind(&socket).map_err(failed)?;
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let child = Command::new(program)
            .args(arguments)
            .env("NOTIFY_SOCKET", &socket)
            .spawn()
            .inspect_err(|_| drop(fs::remove_file(&socket)));
        let mut temporary_daemon = TemporaryDaemon {
            child: child.map_err(failed)?,
            socket,
        };
        let is_ready = temporary_daemon.await_ready(&ready, Instant::now() + READY_TIMEOUT);
        match is_ready.map_err(failed)? {
            true => Ok(temporary_daemon),
            false => Err(UnitError::TemporaryDaemon(READY_TIMEOUT)),
        }
    }

    fn await_ready(&mut self, socket: &UnixDatagram, deadline: Instant) -> io::Result<bool> {
        let mut news = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            // Between reads, the loop checks whether the process lives.
            socket.set_read_timeout(Some(left.min(Duration::from_secs(1))))?;
            match socket.recv(&mut news) {
                Ok(length) if is_ready(&news[..length]) => return Ok(true),
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_ready(news: &[u8]) -> bool {
    news.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

impl Drop for TemporaryDaemon {
    fn drop(&mut self) {
        // The process id is not reused as long as the process was not waited for.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + END_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            sleep(POLL_INTERVAL);
        }
        let _ = fs::remove_file(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<TemporaryDaemon, UnitError> {
        let words = ["/bin/sh", "-c", script];
        TemporaryDaemon::start(&words.map(str::to_owned))
    }

    #[test]
    fn a_daemon_that_ends_before_it_is_ready_is_not_waited_for() {
        assert!(matches!(
            shell("exit 3").unwrap_err(),
            UnitError::TemporaryDaemon(_)
        ));
    }

    #[test]
    fn it_is_ready_when_its_message_arrives_among_others() {
        assert!(is_ready(b"STATUS=connected\nREADY=1\n"));
        assert!(!is_ready(b"STATUS=READY=1"));
        assert!(!is_ready(b"READY=0"));
    }
}
