//! Launches a plugin as a runtime does: a socket as descriptor 3, and an environment of three variables.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use containerd_nri::Identity;

use crate::error::AcceptError;

/// A plugin that the runtime has launched: its process, the identity in its file name, and its configuration.
/// Dropping it kills the process.
pub(crate) struct LaunchedProcess {
    process: Child,
    pub(crate) identity: Identity,
    pub(crate) config: String,
}

impl LaunchedProcess {
    /// Starts a program with one end of a socket pair, and returns the other.
    pub(crate) fn start(
        program: &Path,
        identity: &Identity,
        config: &str,
    ) -> Result<(Self, UnixStream), AcceptError> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        // The shell moves the socket from standard input, where it is easy to put, to descriptor 3.
        let process = Command::new("/bin/sh")
            .args(["-c", "exec 3<&0 </dev/null; exec /usr/bin/env -i \"$@\"", "sh"])
            .arg(format!("NRI_PLUGIN_NAME={}", identity.name))
            .arg(format!("NRI_PLUGIN_IDX={}", identity.index))
            .arg("NRI_PLUGIN_SOCKET=3")
            .arg(program)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|cause| AcceptError::Launch {
                program: program.display().to_string(),
                cause,
            })?;
        let launched = Self {
            process,
            identity: identity.clone(),
            config: config.to_owned(),
        };
        Ok((launched, ours))
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for LaunchedProcess {
    fn drop(&mut self) {
        // Both fail only if the process has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
